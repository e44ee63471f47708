import { commandTopicOf } from '@trunkline/contracts';
import { partitionOf } from '@trunkline/event-log';
import { fixture, startFixtureServer, type FixtureServer } from '@trunkline/connectors/testing';
import { openBench, type Bench } from './testing/bench.js';

jest.setTimeout(60_000);

let bench: Bench;
let healthy: FixtureServer;
let hanging: FixtureServer;

beforeAll(async () => {
  [bench, healthy, hanging] = await Promise.all([openBench(), startFixtureServer(), startFixtureServer()]);
});
afterAll(async () => {
  await Promise.all([healthy.stop(), hanging.stop()]);
  await bench.close();
});

const partitions = 4;

async function integrationIn(partition: number, url: string): Promise<string> {
  for (;;) {
    const id = await bench.integration('fixture', { base_url: url });
    if (partitionOf(Buffer.from(id), partitions) === partition) return id;
  }
}

/** Sends upserts one by one and answers with the p95 of the time from append to result. */
async function p95Of(integrationId: string, count: number): Promise<number> {
  const times: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const one = bench.command({ integrationId, provider: 'fixture', action: 'write_by_upsert' }, { text: 'hello' });
    const startMs = performance.now();
    await bench.send('fixture', [one]);
    await bench.resultOf(one);
    times.push(performance.now() - startMs);
  }
  return times.toSorted((left, right) => left - right)[Math.floor(count * 0.95)] ?? 0;
}

it('leaves the p95 of other keys of the partition as it was while one provider hangs', async () => {
  const well = await integrationIn(2, healthy.url);
  const ill = await integrationIn(2, hanging.url);
  await bench.worker({ family: 'fixture', providers: [fixture] });
  await p95Of(well, 10);
  const aloneMs = await p95Of(well, 40);
  hanging.hold('arrived');
  const stuck = Array.from({ length: 60 }, (_, number) => bench.command({ integrationId: ill, provider: 'fixture', action: number % 2 === 0 ? 'write_by_upsert' : 'write_once', deadlineMs: 8_000 }, { text: 'stuck' }));
  await bench.send('fixture', stuck);
  await bench.until('the hanging calls', () => (hanging.inFlight === stuck.length ? true : undefined));
  const besideMs = await p95Of(well, 40);
  process.stderr.write(`p95 alone ${Math.round(aloneMs)} ms, beside ${stuck.length} hanging calls ${Math.round(besideMs)} ms\n`);
  expect(besideMs).toBeLessThan(2 * aloneMs + 60);
  // Handed over, so that the partition commits past them.
  await bench.until('the commit past the hanging calls', async () => {
    const lag = await bench.eventLog.lag('worker-fixture');
    return lag.every(({ topic, lag: records }) => topic !== commandTopicOf('fixture') || records === 0n) ? true : undefined;
  });
  hanging.release();
  const kinds = await Promise.all(stuck.map(async (one) => (await bench.resultOf(one)).answer));
  expect(kinds.every((answer) => answer.kind === 'outcome' && answer.outcome.kind === 'ok')).toBe(true);
});
