import { commandTopicOf } from '@trunkline/contracts';
import { partitionOf } from '@trunkline/event-log';
import { fixture, startFixtureServer, type FixtureServer } from '@trunkline/connectors/testing';
import { openBench, type Bench } from './testing/bench.js';

jest.setTimeout(300_000);

/** The same worker twice, each with a database of its own: at one of them a provider will hang. */
let bench: Bench;
let control: Bench;
let healthy: FixtureServer;
let hanging: FixtureServer;

beforeAll(async () => {
  [bench, control, healthy, hanging] = await Promise.all([openBench(), openBench(), startFixtureServer(), startFixtureServer()]);
});
afterAll(async () => {
  await Promise.all([healthy.stop(), hanging.stop()]);
  await Promise.all([bench.close(), control.close()]);
});

const partitions = 4;
/** A machine that stands still for a moment in a round slows three commands of one of the two and so its p95; calls that others wait for slow every round. */
const rounds = 5;

async function integrationIn(where: Bench, partition: number, url: string): Promise<string> {
  for (;;) {
    const id = await where.integration('fixture', { base_url: url });
    if (partitionOf(Buffer.from(id), partitions) === partition) return id;
  }
}

interface Well {
  readonly at: Bench;
  readonly integrationId: string;
}

/** Milliseconds from append to result of one upsert. */
async function timeOf({ at, integrationId }: Well): Promise<number> {
  const one = at.command({ integrationId, provider: 'fixture', action: 'write_by_upsert' }, { text: 'hello' });
  const startMs = performance.now();
  await at.send('fixture', [one]);
  await at.resultOf(one);
  return performance.now() - startMs;
}

/** One upsert here and one there by turns, so that what the machine does besides weighs on both alike. */
async function p95sByTurns(one: Well, other: Well, count: number): Promise<readonly [number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let turn = 0; turn < count; turn += 1) {
    const order = turn % 2 === 0 ? [0, 1] as const : [1, 0] as const;
    for (const index of order) times[index].push(await timeOf(index === 0 ? one : other));
  }
  const p95 = (all: readonly number[]): number => all.toSorted((left, right) => left - right)[Math.floor(count * 0.95)] ?? Number.NaN;
  return [p95(times[0]), p95(times[1])];
}

it('leaves the p95 of other keys of the partition as it was while one provider hangs', async () => {
  const beside: Well = { at: bench, integrationId: await integrationIn(bench, 2, healthy.url) };
  const alone: Well = { at: control, integrationId: await integrationIn(control, 2, healthy.url) };
  const ill = await integrationIn(bench, 2, hanging.url);
  for (const { at } of [beside, alone]) await at.worker({ family: 'fixture', providers: [fixture] });
  await p95sByTurns(beside, alone, 10);
  hanging.hold('arrived');
  const stuck = Array.from({ length: 60 }, (_, number) => bench.command({ integrationId: ill, provider: 'fixture', action: number % 2 === 0 ? 'write_by_upsert' : 'write_once', deadlineMs: 280_000 }, { text: 'stuck' }));
  await bench.send('fixture', stuck);
  await bench.until('the hanging calls', () => (hanging.inFlight === stuck.length ? true : undefined));
  const excess: number[] = [];
  do {
    const [besideMs, aloneMs] = await p95sByTurns(beside, alone, 60);
    process.stderr.write(`p95 by turns: alone ${Math.round(aloneMs)} ms, beside ${stuck.length} hanging calls ${Math.round(besideMs)} ms\n`);
    excess.push(besideMs - (1.5 * aloneMs + 40));
  } while (excess.length < rounds && Math.min(...excess) > 0);
  expect(hanging.inFlight).toBe(stuck.length);
  expect(Math.min(...excess)).toBeLessThanOrEqual(0);
  // Handed over, so that the partition commits past them.
  await bench.until('the commit past the hanging calls', async () => {
    const lag = await bench.eventLog.lag('worker-fixture');
    return lag.every(({ topic, lag: records }) => topic !== commandTopicOf('fixture') || records === 0n) ? true : undefined;
  });
  hanging.release();
  const kinds = await Promise.all(stuck.map(async (one) => (await bench.resultOf(one)).answer));
  expect(kinds.every((answer) => answer.kind === 'outcome' && answer.outcome.kind === 'ok')).toBe(true);
});
