import { StateCounts } from './state-counts.js';
import { openBench, stepOf, type Bench } from './testing/index.js';

describe('runs and steps by state', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await openBench();
    const integration = await bench.integration();
    await bench.chain('conversation_ended', [stepOf('one', integration, 10), stepOf('two', integration, 20)]);
    await bench.query(`insert into api_keys (organisation_id, key_id, name, prefix, scopes) values ($1, 'counted', 'counted', 'tl_counted', '{read}')`, [bench.organisationId]);
    await bench.query(`insert into api_key_index (key_id, sha256, organisation_id) values ('counted', decode(repeat('00', 32), 'hex'), $1)`, [bench.organisationId]);
  }, 60_000);

  afterAll(() => bench?.close(), 60_000);

  it('names every state, and counts again only after a minute', async () => {
    let nowMs = 0;
    const counts = new StateCounts(bench.database.databases, () => nowMs);
    expect((await counts.read()).runs).toEqual({ running: 0, done: 0, 'done-with-failures': 0, parked: 0, 'dead-lettered': 0, cancelled: 0 });
    await bench.ledger().handleBatch([bench.record(bench.event('conversation_ended', 'counted'))]);
    expect((await counts.read()).runs.running).toBe(0);
    nowMs = 60_001;
    const counted = await counts.read();
    expect(counted.runs.running).toBe(1);
    expect(counted.steps).toMatchObject({ sent: 1, waiting: 1, done: 0, parked: 0 });
  });
});
