import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Client } from 'pg';
import { migrate } from './migrate.js';
import { migrations } from './migrations/index.js';
import { openTestServer } from './testing/test-server.js';
import type { TestServer } from './testing/test-server.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const built = pathToFileURL(join(root, 'libs/storage/dist/index.js')).toString();

describe('a migrating process that is killed', () => {
  let server: TestServer;
  let admin: Client;

  beforeAll(async () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'tools/build.mjs'), '--all'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    server = await openTestServer();
    admin = new Client({ connectionString: server.url });
    await admin.connect();
  }, 60_000);
  afterAll(async () => {
    await admin?.end();
    await server?.close();
  });

  it.each([0, 1, 3, migrations.length - 1])('leaves whole migrations only; two others finish what it left (killed once %d were done)', async (doneBefore) => {
    const name = `killed_${randomBytes(6).toString('hex')}`;
    await admin.query(`create database ${name}`);
    const address = new URL(server.url);
    address.pathname = `/${name}`;
    const url = address.toString();
    const watcher = new Client({ connectionString: url });
    await watcher.connect();
    const child = spawn(process.execPath, ['--input-type=module', '-e', `const { migrate } = await import(${JSON.stringify(built)}); await migrate(process.argv[1]);`, url], { stdio: 'ignore' });
    const exited = once(child, 'exit');
    const giveUpAt = performance.now() + 30_000;
    while ((await doneIn(watcher)) < doneBefore && child.exitCode === null && performance.now() < giveUpAt);
    child.kill('SIGKILL');
    await exited;

    const left = await Promise.all([migrate(url), migrate(url)]);
    const applied = left.flatMap((each) => each.applied);
    expect(new Set(applied).size).toBe(applied.length);
    expect(await doneIn(watcher)).toBe(migrations.length);
    expect(applied.length).toBeLessThanOrEqual(migrations.length - doneBefore);
    await watcher.end();
    await admin.query(`drop database ${name} with (force)`);
  }, 60_000);
});

/** -1 while not even the list of migrations exists. */
async function doneIn(client: Client): Promise<number> {
  const { rows } = await client.query<{ there: boolean }>(`select to_regclass('schema_migrations') is not null as there`);
  if (!rows[0]?.there) return -1;
  return (await client.query('select from schema_migrations')).rowCount ?? 0;
}
