import type { Command } from '@trunkline/contracts';
import { openBench, stepOf, type Bench } from './testing/index.js';

const ok = { kind: 'ok', result: null, externalId: null } as const;

/** One gate per integration, closed once for all (delivery §5, P6, P7). */
describe('the gate of an integration', () => {
  let bench: Bench;
  let slow: string;
  let free: string;

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);

  beforeEach(async () => {
    await bench.clear();
    [slow, free] = [await bench.integration(), await bench.integration()];
    await bench.chain('conversation_ended', [stepOf('one', slow, 10)]);
    await bench.chain('escalation', [stepOf('one', free, 10)]);
  });

  afterAll(() => bench?.close(), 60_000);

  const events = (type: string, count: number, name = type) => Array.from({ length: count }, (_, index) => bench.record(bench.event(type, `${name} ${index}`)));
  const waitingBehind = async (integration: string) => (await bench.query<{ count: number }>(`select count(*)::int as count from due_work where kind = 'gate' and integration_id = $1`, [integration]))[0]?.count;

  it('closes for all when one is throttled, uses up no attempt, and lets the others through when it opens', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch(events('conversation_ended', 3));
    const [first, ...others] = await bench.sent();
    if (first === undefined) return;
    await ledger.handleBatch([bench.answer(first, { kind: 'throttled', untilMs: Date.now() + 60_000, code: 'http.429', message: 'slow down' })]);
    await ledger.handleBatch([...events('conversation_ended', 5, 'later'), ...events('escalation', 2), ...others.map((command) => bench.answer(command, ok))]);
    expect((await bench.sent()).map((command) => command.integrationId)).toEqual([free, free]);
    expect(await waitingBehind(slow)).toBe(6);
    const [gate] = ledger.figures().gates.filter((candidate) => candidate.integrationId === slow);
    expect(gate).toMatchObject({ closedBecause: 'throttled', hasBacklog: true });
    expect(await bench.verbs().showRun(bench.organisationId, first.runId)).toMatchObject({ state: 'running', steps: [{ state: 'ready', reason: 'throttled', attempts: 0, dueAtMs: expect.any(Number) }] });
    await bench.letTimePass();
    const restarted = bench.ledger();
    await bench.work([restarted]);
    expect(await bench.query(`select state, count(*)::int as count from runs where event_type = 'conversation_ended' group by 1`)).toEqual([{ state: 'done', count: 8 }]);
    expect(await waitingBehind(slow)).toBe(0);
  });

  it('closes until somebody reconnects when credentials are refused, and opens when the integration is saved', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch(events('conversation_ended', 2));
    const [first, second] = await bench.sent();
    if (first === undefined || second === undefined) return;
    await ledger.handleBatch([bench.answer(first, { kind: 'auth', code: 'http.401', message: 'revoked' })]);
    expect(await bench.query('select reason, open_at = $1 as forever from gates', ['infinity'])).toEqual([{ reason: 'reconnect', forever: true }]);
    await bench.letTimePass();
    await ledger.passes.gates();
    expect(await bench.sent()).toEqual([]);
    await bench.query(`update integrations set updated_at = clock_timestamp() where id = $1`, [slow]);
    await ledger.handleBatch([{ ...bench.answer(second, { kind: 'auth', code: 'http.401', message: 'revoked' }), appendedAtMs: Date.now() - 60_000 }]);
    const other = bench.ledger();
    await other.passes.gates();
    expect(await bench.sent()).toHaveLength(2);
  });

  it('holds everything while paused, and counts it; resume lets it go', async () => {
    const verbs = bench.verbs();
    await verbs.pause(bench.organisationId, slow);
    const ledger = bench.ledger();
    await ledger.handleBatch([...events('conversation_ended', 3), ...events('escalation', 1)]);
    expect((await bench.sent()).map((command) => command.integrationId)).toEqual([free]);
    expect(await verbs.showRun(bench.organisationId, bench.runIdOf('conversation_ended 0'))).toMatchObject({ steps: [{ state: 'ready', reason: 'paused' }] });
    expect((await ledger.measure()).gates).toEqual([{ provider: 'bench', reason: 'paused', count: 1 }]);
    await verbs.resume(bench.organisationId, slow);
    await ledger.passes.gates();
    expect(await bench.sent()).toHaveLength(3);
    await expect(verbs.pause(bench.organisationId, bench.organisationId)).rejects.toMatchObject({ code: 'ledger.integration_not_found' });
  });

  it('parks what has waited for max_wait with a reason, and process-queue brings it back', async () => {
    const verbs = bench.verbs();
    await verbs.pause(bench.organisationId, slow);
    const ledger = bench.ledger();
    await ledger.handleBatch(events('conversation_ended', 1));
    await bench.query(`update due_work set give_up_at = clock_timestamp() - interval '1 second'`);
    await ledger.passes.due();
    expect(await bench.verbs().showRun(bench.organisationId, bench.runIdOf('conversation_ended 0'))).toMatchObject({ state: 'parked', steps: [{ state: 'parked', reason: 'provider-down' }] });
    await verbs.resume(bench.organisationId, slow);
    expect(await verbs.processQueue(bench.organisationId)).toEqual({ deferred: 0, parked: 1 });
    await ledger.passes.gates();
    await ledger.passes.due();
    expect(await bench.sent()).toHaveLength(1);
  });

  it('parks what lost its integration, and tries again', async () => {
    const ledger = bench.ledger();
    await bench.query('delete from integrations where id = $1', [slow]);
    await ledger.handleBatch(events('conversation_ended', 1));
    expect(await bench.verbs().showRun(bench.organisationId, bench.runIdOf('conversation_ended 0'))).toMatchObject({ state: 'parked', steps: [{ state: 'parked', reason: 'integration-gone' }] });
    await bench.query(`insert into integrations (organisation_id, id, provider, name) values ($1, $2, 'bench', 'back')`, [bench.organisationId, slow]);
    await bench.letTimePass();
    const later = bench.ledger();
    await later.passes.due();
    expect(await bench.sent()).toHaveLength(1);
  });

  it('lets one command through at a time after commands were swept that nobody had started', async () => {
    const ledger = bench.ledger();
    await ledger.handleBatch(events('conversation_ended', 12));
    expect(await bench.sent()).toHaveLength(4);
    await bench.query(`update dispatches set sweep_at = clock_timestamp() - interval '1 second'`);
    await ledger.passes.sweep();
    await ledger.passes.gates();
    const probe = await bench.sent();
    expect(probe).toHaveLength(1);
    await ledger.handleBatch(probe.map((command) => bench.answer(command, ok)));
    await ledger.passes.gates();
    expect((await bench.sent()).length).toBeGreaterThan(1);
  });

  it('spends at most 1.2 commands per call on 5,000 steps at 60 a minute, beside a free tenant that is not held up', async () => {
    let nowMs = Date.now();
    const clock = { nowMs: () => nowMs, fromLogMs: (logMs: number) => logMs, errorMs: 0, driftMs: () => 0, measure: async () => undefined };
    const ledger = bench.ledger({ clock, settings: { recountAfterMs: 600_000 } });
    for (let start = 0; start < 5_000; start += 500) await ledger.handleBatch(events('conversation_ended', 500, `batch ${start}`));
    const queue: Command[] = [];
    let calls = 0;
    let commands = 0;
    const take = async (): Promise<Command[]> => {
      const sent = await bench.sent();
      queue.push(...sent.filter((command) => command.integrationId === slow));
      commands += sent.filter((command) => command.integrationId === slow).length;
      return sent.filter((command) => command.integrationId === free);
    };
    await take();
    // Two minutes of a worker that may call once a second and answers what came too late.
    for (let second = 0; second < 120; second += 1) {
      nowMs += 1_000;
      const late = queue.filter((command) => command.startBeforeMs < nowMs);
      for (const command of late) queue.splice(queue.indexOf(command), 1);
      const called = queue.shift();
      if (called !== undefined) calls += 1;
      await ledger.handleBatch([...late.map((command) => bench.answer(command, { kind: 'expired' })), ...(called === undefined ? [] : [bench.answer(called, ok)]), ...(second % 10 === 0 ? events('escalation', 1, `free ${second}`) : [])]);
      if (second % 5 === 0) await bench.query(`update due_work set leased_until = null`);
      await ledger.passes.gates();
      const freely = await take();
      expect(freely).toHaveLength(second % 10 === 0 ? 1 : 0);
      await ledger.handleBatch(freely.map((command) => bench.answer(command, ok)));
    }
    expect(calls).toBeGreaterThan(110);
    expect(commands / calls).toBeLessThanOrEqual(1.2);
  }, 120_000);
});
