import { openBench, stepOf, type Bench } from './testing/index.js';

describe('a run from event to end', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  it('sends each step once the one before it is recorded, with what that one returned', async () => {
    const integration = await bench.integration();
    await bench.chain('conversation_ended', [
      stepOf('log', integration, 10, { input: { who: 'event.data.caller' } }),
      stepOf('job', integration, 20, { input: { about: 'steps.log.id' } }),
      stepOf('push', integration, 30, { input: { job: 'steps.job.id' } }),
    ]);
    const ledger = bench.ledger();
    await ledger.handleBatch([bench.record(bench.event('conversation_ended', 'e1', { caller: 'Ana' }))]);
    const commands = await bench.work([ledger]);
    expect(commands.map(({ stepId, dispatch, input }) => [stepId, dispatch, JSON.parse(input.toString())])).toEqual([
      ['log', 1, { who: 'Ana' }],
      ['job', 1, { about: 'log-made' }],
      ['push', 1, { job: 'job-made' }],
    ]);
    expect(await bench.query('select state, rev, finished_at is not null as finished from runs where run_id = $1', [bench.runIdOf('e1')])).toEqual([{ state: 'done', rev: 3, finished: true }]);
    expect(await bench.query('select step_id, dispatch, outcome, applied from attempts where run_id = $1 order by recorded_at, step_id', [bench.runIdOf('e1')])).toHaveLength(3);
    expect(await bench.query('select * from due_work')).toEqual([]);
  });

  it('plans a repeated event once, whoever takes it and however often', async () => {
    const [one, two] = [bench.ledger(), bench.ledger()];
    const record = bench.record(bench.event('conversation_ended', 'e2', { caller: 'Bo' }));
    await one.handleBatch([record, record]);
    await two.handleBatch([record]);
    await one.handleBatch([record]);
    expect(await bench.sent()).toHaveLength(1);
    expect(await bench.query('select rev from runs where run_id = $1', [bench.runIdOf('e2')])).toEqual([{ rev: 0 }]);
    expect(await bench.query('select * from dead_letters')).toEqual([]);
  });

  it.each([['in the same flush', true], ['later', false]])('keeps a second event under a known id as a dead letter, %s', async (name, together) => {
    const ledger = bench.ledger();
    const first = bench.record(bench.event('conversation_ended', name, { caller: 'Cy' }));
    const second = bench.record(bench.event('conversation_ended', name, { caller: 'Di' }));
    if (together) await ledger.handleBatch([first, second]);
    else {
      await ledger.handleBatch([first]);
      await bench.ledger().handleBatch([second]);
    }
    const [sent] = await bench.sent();
    expect(sent?.input.toString()).toBe('{"who":"Cy"}');
    expect(await bench.query('select code, class, run_id from dead_letters where run_id = $1', [bench.runIdOf(name)])).toEqual([{ code: 'event.id_reused', class: 'conflict', run_id: bench.runIdOf(name) }]);
  });

  it('gives an event with no chain a run that is done, so that it can be found', async () => {
    await bench.ledger().handleBatch([bench.record(bench.event('kb_sync', 'nobody-listens'))]);
    expect(await bench.query('select state, chain_version, steps from runs where run_id = $1', [bench.runIdOf('nobody-listens')])).toEqual([{ state: 'done', chain_version: 0, steps: '[]' }]);
  });
});
