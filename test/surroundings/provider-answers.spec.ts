import type { RepeatMethod } from '@trunkline/chain';
import { fixture } from '@trunkline/connectors/testing';
import { openBench, type Bench } from '@trunkline/worker/testing';
import { tellFigure } from './figures.js';
import { harmless, HostileServer, hostilities, type Hostility } from './hostile-server.js';
import { residentMiB } from './memory.js';
import { faultSeconds } from './seconds.js';

const lastsSeconds = faultSeconds(0);
jest.setTimeout((lastsSeconds + 180) * 1_000);

const actions = { key: 'write_by_key', upsert: 'write_by_upsert', 'search-first': 'write_after_search', never: 'write_once' } as const satisfies Record<RepeatMethod, string>;
const methods = Object.keys(actions) as readonly RepeatMethod[];
/** In total: it holds however lively the answer drips. Long enough for a write to leave on a machine that others use. */
const deadlineMs = 6_000;
const patientDeadlineMs = 20_000;
const allowedGrowthMiB = 150;

// P4: what may be repeated is repeated; what may not is in doubt, for the provider may have written.
const doubt: Readonly<Record<RepeatMethod, string>> = { key: 'transient', upsert: 'transient', 'search-first': 'unknown', never: 'unknown' };
const done: Readonly<Record<RepeatMethod, string>> = { key: 'ok', upsert: 'ok', 'search-first': 'ok', never: 'ok' };

describe('a provider that takes a write and then', () => {
  let bench: Bench;
  const servers: HostileServer[] = [];

  beforeAll(async () => {
    bench = await openBench();
    await bench.worker({ family: 'fixture', providers: [fixture] });
  });

  afterAll(async () => {
    await bench.close();
    await Promise.all(servers.map((server) => server.stop()));
  });

  /** One write to a provider of its own: no other takes over a connection that is about to be reset. */
  async function outcomeOf(kind: Hostility, method: RepeatMethod, withinMs: number): Promise<string> {
    const server = await HostileServer.start(kind);
    servers.push(server);
    const integrationId = await bench.integration('fixture', { base_url: server.url });
    // On a starved machine a deadline may pass before the write has left; then it is told so, and asked again with a longer one.
    for (const deadlineMs of [withinMs, patientDeadlineMs, patientDeadlineMs]) {
      const command = bench.command({ integrationId, provider: 'fixture', action: actions[method], deadlineMs }, { text: 'hello' });
      await bench.send('fixture', [command]);
      const { answer, call } = await bench.resultOf(command, deadlineMs + 20_000);
      // Of the call as the worker measured it: a busy machine makes timers late, not deadlines long.
      expect(call?.durationMs ?? 0).toBeLessThan(2 * deadlineMs);
      if (server.writes > 0) return answer.kind === 'outcome' ? answer.outcome.kind : answer.kind;
    }
    return 'never written';
  }

  /** One write by each method to a provider of each kind, all at once; what became of each. New integrations each time, for breakers open behind such providers. */
  async function outcomes(kinds: readonly Hostility[], withinMs = deadlineMs): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> {
    const told = await Promise.all(kinds.map(async (kind) => [kind, Object.fromEntries(await Promise.all(methods.map(async (method) => [method, await outcomeOf(kind, method, withinMs)] as const)))] as const));
    return Object.fromEntries(told);
  }

  it('cuts, drips, floods or bombs its answer: in doubt by the method of repetition, within the deadline, in bounded memory', async () => {
    const kinds = Object.keys(hostilities) as Hostility[];
    // What compiles on first use is no growth.
    await outcomes(Object.keys(harmless) as Hostility[], patientDeadlineMs);
    const beforeMiB = residentMiB(process.pid);
    const endsAt = performance.now() + lastsSeconds * 1_000;
    let rounds = 0;
    do {
      expect(await outcomes(kinds)).toEqual(Object.fromEntries(kinds.map((kind) => [kind, doubt])));
      rounds += 1;
    } while (performance.now() < endsAt);
    const afterMiB = residentMiB(process.pid);
    tellFigure(`${kinds.length} kinds of broken answers × ${methods.length} methods × ${rounds}`, `all transient (key, upsert) or unknown (search-first, never); memory ${beforeMiB.toFixed(0)} → ${afterMiB.toFixed(0)} MiB`);
    expect(afterMiB - beforeMiB).toBeLessThan(allowedGrowthMiB);
  });

  it('resets the connection behind a whole answer: done, whatever the method', async () => {
    const kinds = Object.keys(harmless) as Hostility[];
    expect(await outcomes(kinds, patientDeadlineMs)).toEqual(Object.fromEntries(kinds.map((kind) => [kind, done])));
  });
});
