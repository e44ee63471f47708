import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway, type RunningGateway } from '@trunkline/app-gateway';
import { type PostgresServer, startPostgres } from '@trunkline/local-services';
import { migrate, openDatabases } from '@trunkline/storage';
import { Client } from 'pg';
import { type Answer, type StableAddress, expectClearRefusal, keptLog, organisationWithKey, send, stableAddress, until, masterKeys } from './support.js';

/** One server of its own, which is stopped, filled and half-migrated under a gateway that keeps running. */
describe('a database that is away, full or half migrated', () => {
  let folder: string;
  let address: StableAddress;
  let server: PostgresServer | null = null;
  let gateway: RunningGateway;
  let apiKey = '';

  const startDatabase = async (): Promise<void> => {
    server = await startPostgres({ dataDir: join(folder, 'postgres') });
    address.leadTo(server.port);
  };
  const databaseUrl = (): string => {
    const url = new URL(server?.url ?? '');
    url.port = String(address.port);
    return url.toString();
  };
  const config = () => ({ databaseUrl: databaseUrl(), kafkaBrokers: [], host: '127.0.0.1', port: 0, opsHost: '127.0.0.1', opsPort: 0, outboundAllow: [], outboundPorts: [], answerWithinMs: 2_000 });
  const publish = (id: string): Promise<Answer> => send(`${gateway.url}/api/events`, 'POST', { specversion: '1.0', id, source: '/database', type: 'conversation_ended', data: { conversation_id: id } }, { authorization: `Bearer ${apiKey}` });
  const readiness = async (): Promise<{ readonly status: number; readonly missing: readonly string[]; readonly text: string }> => {
    const answer = await send(`${gateway.opsUrl}/readyz`, 'GET', undefined, {});
    return { status: answer.status, missing: ((answer.body['missing'] ?? []) as { name: string }[]).map(({ name }) => name), text: answer.text };
  };
  const untilReady = (): Promise<true> => until('the gateway is ready', async () => ((await readiness()).status === 200 ? true : null), 30_000);
  const asOwner = async (statement: string): Promise<Record<string, unknown>[]> => {
    const client = new Client({ connectionString: server?.url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(statement)).rows;
    } finally {
      await client.end();
    }
  };
  /** As a publisher does: repeated while the answer is 503. */
  const stored = (id: string): Promise<boolean> =>
    until(`event ${id} is accepted`, async () => {
      const { status } = await publish(id);
      return status === 503 ? null : status === 202;
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trunkline bad input '));
    address = await stableAddress();
    await startDatabase();
    await migrate(server?.url ?? '');
    const databases = openDatabases(server?.url ?? '');
    ({ apiKey } = await organisationWithKey(databases));
    await databases.close();
    await server?.stop();
  }, 120_000);

  afterAll(async () => {
    await gateway?.close();
    await server?.stop();
    await address?.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('away at start: the gateway starts, names what is missing, answers 503, and works once it is back', async () => {
    gateway = await startGateway(config(), { logger: keptLog(), masterKeys });
    const before = await readiness();
    expect(before.status).toBe(503);
    expect(before.missing).toEqual(expect.arrayContaining(['database', 'event log', 'topics']));
    const answer = await publish('at-start');
    expectClearRefusal(answer, 503, 'identity.unavailable');
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);

    await startDatabase();
    await untilReady();
    expect(await stored('at-start')).toBe(true);
  }, 60_000);

  it('going away: 503 within the time promised, never 401; what was answered 202 is still there', async () => {
    expect(await stored('before')).toBe(true);
    await server?.kill();
    // How late a timer of ours is tells how long the machine stood still, which no answer can make up for.
    let [metAt, latenessMs] = [performance.now(), 0];
    const meter = setInterval(() => {
      latenessMs = Math.max(latenessMs, performance.now() - metAt - 50);
      metAt = performance.now();
    }, 50);
    let startedAt = performance.now();
    let answer = await publish('meanwhile');
    // A backend that has not noticed its server's death for a moment still makes durable what it is given.
    while (answer.status === 202) {
      startedAt = performance.now();
      answer = await publish('meanwhile');
    }
    clearInterval(meter);
    expectClearRefusal(answer, 503, 'gateway.not_durable');
    expect(performance.now() - startedAt).toBeLessThan(2_250 + 2 * latenessMs);

    await startDatabase();
    await untilReady();
    expect(await stored('meanwhile')).toBe(true);
    const ids = (await recordedIds()).filter((id) => ['at-start', 'before', 'meanwhile'].includes(id));
    expect(new Set(ids)).toEqual(new Set(['at-start', 'before', 'meanwhile']));
  }, 90_000);

  it('full: 503 with a reason to wait, and nothing half stored', async () => {
    const [table] = await asOwner("select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'event_log' and c.relname = 'records'");
    await asOwner(`create function spec_disk_full() returns trigger language plpgsql as $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`);
    await asOwner(`create trigger spec_disk_full before insert on ${String(table?.['name'])} for each row execute function spec_disk_full()`);
    const answer = await publish('while-full');
    expectClearRefusal(answer, 503, 'gateway.not_durable');
    expect(answer.text).not.toContain('extend file');
    await asOwner('drop function spec_disk_full() cascade');
    expect(await recordedIds()).not.toContain('while-full');
    expect(await stored('while-full')).toBe(true);
  }, 60_000);

  it('half migrated: the gateway is not ready and says so, loses nothing, and goes on when the migration is done', async () => {
    await asOwner('alter schema event_log rename to event_log_elsewhere');
    const answer = await publish('half');
    expectClearRefusal(answer, 503, 'gateway.not_durable');
    expect((await readiness()).status).toBe(503);
    await asOwner('alter schema event_log_elsewhere rename to event_log');
    await untilReady();
    expect(await stored('half')).toBe(true);
    expect(await recordedIds()).toEqual(expect.arrayContaining(['at-start', 'before', 'meanwhile', 'while-full', 'half']));
  }, 60_000);

  /** Ids of the events in the log's tables, read behind everybody's back. */
  async function recordedIds(): Promise<string[]> {
    const rows = await asOwner("select convert_from(value, 'UTF8')::json ->> 'conversation_id' as id from event_log.records where convert_from(value, 'UTF8') like '%conversation_id%'");
    return rows.map((row) => String(row['id']));
  }
});
