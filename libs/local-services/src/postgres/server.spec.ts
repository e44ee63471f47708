import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { isRunning } from '../orphan.js';
import { placesToWipe } from './place.js';
import { startPostgres, type PostgresServer } from './server.js';

// Several initialisations in one test, each of which writes a whole cluster.
jest.setTimeout(180_000);

const asRoot = process.getuid?.() === 0;
let room: string;
let running: PostgresServer[] = [];

beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'trunkline pg '));
  chmodSync(room, 0o755);
});

afterEach(async () => {
  for (const server of running) if (isRunning(server.pid)) await server.kill();
  running = [];
  for (const place of placesToWipe(join(room, 'pg'))) rmSync(place, { recursive: true, force: true });
  rmSync(room, { recursive: true, force: true });
});

async function start(dataDir = join(room, 'pg'), onProgress?: (line: string) => void): Promise<PostgresServer> {
  const server = await startPostgres({ dataDir, onProgress });
  running.push(server);
  return server;
}

async function ask(server: PostgresServer, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query(sql)).rows[0];
  } finally {
    await client.end();
  }
}

describe('the PostgreSQL that comes along', () => {
  it('starts below a path with spaces, keeps its data over a stop, and syncs to disk', async () => {
    const first = await start();
    await ask(first, 'create table kept as select 7 as n');
    await first.stop();
    const second = await start();
    expect(await ask(second, 'select n from kept')).toEqual({ n: 7 });
    expect(await ask(second, 'show fsync')).toEqual({ fsync: 'on' });
  });

  it('stops an orphan that outlived its parent and takes over its data', async () => {
    const orphan = await start();
    await ask(orphan, 'create table kept as select 8 as n');
    const next = await start();
    expect(isRunning(orphan.pid)).toBe(false);
    expect(await ask(next, 'select n from kept')).toEqual({ n: 8 });
  });

  it('starts after a kill -9 of the server', async () => {
    const first = await start();
    await ask(first, 'create table kept as select 9 as n');
    await first.kill();
    expect(await ask(await start(), 'select n from kept')).toEqual({ n: 9 });
  });

  it('is not fooled by a pid file whose pid belongs to somebody else now', async () => {
    const first = await start();
    await first.kill();
    writeFileSync(join(first.dataDir, 'postmaster.pid'), `${process.pid}\n${first.dataDir}\n`);
    expect(await ask(await start(), 'select 1 as n')).toEqual({ n: 1 });
    expect(isRunning(process.pid)).toBe(true);
  });

  it('starts over when an earlier initialisation was killed half-way', async () => {
    mkdirSync(join(room, 'pg'));
    writeFileSync(join(room, 'pg', 'PG_VERSION'), '18\n');
    expect(await ask(await start(), 'select 1 as n')).toEqual({ n: 1 });
  });

  it('takes the next free port and says so', async () => {
    const first = await start();
    const said: string[] = [];
    const second = await startPostgres({ dataDir: join(room, 'other'), port: first.port, onProgress: (line) => said.push(line) });
    running.push(second);
    expect(second.port).not.toBe(first.port);
    expect(said.join('\n')).toContain(`Port ${first.port} is taken`);
  });

  if (asRoot) it('goes where its own user can reach, below a home that others may not enter, and says where', async () => {
    const home = join(room, 'closed home');
    mkdirSync(home, { mode: 0o700 });
    const said: string[] = [];
    const dataDir = join(home, 'pg');
    const server = await start(dataDir, (line) => said.push(line));
    expect(await ask(server, 'select 1 as n')).toEqual({ n: 1 });
    expect(said.join('\n')).toContain(home);
    expect(server.dataDir.startsWith(home)).toBe(false);
    await server.stop();
    for (const place of placesToWipe(dataDir)) rmSync(place, { recursive: true, force: true });
    expect(existsSync(server.dataDir)).toBe(false);
  });

  if (asRoot) it('removes what a deleted home has left behind', async () => {
    const homes = ['first home', 'second home'].map((name) => join(room, name));
    for (const home of homes) mkdirSync(home, { mode: 0o700 });
    const [first, second] = homes.map((home) => join(home, 'pg')) as [string, string];
    const abandoned = await start(first);
    await abandoned.stop();
    rmSync(join(room, 'first home'), { recursive: true });
    await (await start(second)).stop();
    expect(existsSync(abandoned.dataDir)).toBe(false);
    for (const place of placesToWipe(second)) rmSync(place, { recursive: true, force: true });
  });
});
