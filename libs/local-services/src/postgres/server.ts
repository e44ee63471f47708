import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import getPort, { portNumbers } from 'get-port';
import { freePort } from '../free-port.js';
import { commandLineOf, endProcess, isRunning } from '../orphan.js';
import { PostgresStartFailed } from './errors.js';
import { serverOwner, type Owner } from './owner.js';
import { placeOf, type Place } from './place.js';

export interface PostgresOptions {
  /** Data folder; beside it lie its log, its password and the marker of a finished initialisation. */
  readonly dataDir: string;
  /** Wished port; taken: the next free one. Absent: any free one. */
  readonly port?: number;
  readonly onProgress?: (line: string) => void;
  /** Server settings, as `name=value`. */
  readonly settings?: readonly string[];
}

export interface PostgresServer {
  /** Superuser address of database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** Resolves when the process is gone, whoever ended it. */
  readonly exited: Promise<void>;
  /** Fast shutdown; resolves when the process is gone. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/** Starts the PostgreSQL that comes with the packages. An orphan of an earlier life, a stale or reused pid file and a killed initialisation are put right first. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const owner = serverOwner();
  const place = placeOf(options.dataDir, owner);
  if (place.note !== null) options.onProgress?.(place.note);
  await stopOrphan(place.dataDir);
  const password = initialise(place, owner, options.onProgress);
  const port = await choosePort(options);
  const child = await launch(place, owner, port, options.settings ?? []);
  const pid = child.pid ?? 0;
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    pid,
    dataDir: place.dataDir,
    exited: gone,
    stop: () => Promise.race([endProcess(pid, ['SIGINT', 'SIGQUIT'], 10_000), gone]),
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function choosePort({ port, onProgress }: PostgresOptions): Promise<number> {
  if (port === undefined) return freePort();
  // Asked first: `get-port` does not give a port twice within half a minute, and a server that was killed shall come back where its clients look for it.
  if (await isFree(port)) return port;
  const chosen = await getPort({ host: '127.0.0.1', port: portNumbers(port, port + 50) });
  if (chosen !== port) onProgress?.(`Port ${port} is taken; the database uses ${chosen}.`);
  return chosen;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}

/** A server that outlived its parent answers on the old port and locks the data: it is asked to stop. A pid that is now somebody else's only leaves its file behind. */
export async function stopOrphan(dataDir: string): Promise<void> {
  const file = join(dataDir, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  const command = pid > 0 ? commandLineOf(pid) : null;
  if (command !== null && command.includes('postgres') && command.includes(dataDir)) await endProcess(pid, ['SIGINT', 'SIGQUIT'], 10_000);
  rmSync(file, { force: true });
}

/** Creates the cluster unless the marker says that an earlier initialisation came to its end; returns the superuser's password. */
function initialise(place: Place, owner: Owner | null, onProgress?: (line: string) => void): string {
  const { dataDir } = place;
  const marker = `${dataDir}.ready`;
  const passwordFile = `${dataDir}.password`;
  if (existsSync(marker) && existsSync(passwordFile)) return readFileSync(passwordFile, 'utf8').trim();
  onProgress?.('Creating the database …');
  for (const leftover of [dataDir, marker, passwordFile]) rmSync(leftover, { recursive: true, force: true });
  mkdirSync(dirname(dataDir), { recursive: true });
  mkdirSync(dataDir, { mode: 0o700 });
  const password = randomBytes(18).toString('base64url');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (owner !== null) for (const path of [dataDir, passwordFile]) chownSync(path, owner.uid, owner.gid);
  const result = spawnSync(
    join(place.programs, 'bin', 'initdb'),
    ['-D', dataDir, '-U', 'postgres', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-sync', '--no-instructions', '--auth-local=scram-sha-256', '--auth-host=scram-sha-256'],
    { ...asOwner(owner), encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' } },
  );
  if (result.status !== 0) throw PostgresStartFailed.from(result.error, `initialising ${dataDir}: ${result.stderr || result.error?.message || `exit ${result.status}`}`);
  writeFileSync(marker, '');
  return password;
}

async function launch(place: Place, owner: Owner | null, port: number, settings: readonly string[]): Promise<ChildProcess> {
  const logFile = `${place.dataDir}.log`;
  const giveUpAt = performance.now() + 60_000;
  for (;;) {
    const log = openSync(logFile, 'w', 0o600);
    const flags = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'shared_buffers=128MB', 'max_connections=200', 'timezone=UTC', 'log_timezone=UTC', ...settings];
    // A process group of its own: Ctrl-C in the terminal must reach the platform first, which drains and then stops the database.
    const child = spawn(join(place.programs, 'bin', 'postgres'), ['-D', place.dataDir, '-p', String(port), ...flags.flatMap((flag) => ['-c', flag])], { ...asOwner(owner), detached: true, stdio: ['ignore', log, log], env: { ...process.env, LC_ALL: 'C' } });
    closeSync(log);
    const failure = await new Promise<Error | null>((done) => {
      child.once('error', done);
      child.once('spawn', () => done(null));
    });
    if (failure !== null) throw PostgresStartFailed.from(failure, `running ${place.programs}/bin/postgres`);
    if (await becomesReady(child, place.dataDir, giveUpAt)) return child;
    const lastWords = readFileSync(logFile, 'utf8').trim().split('\n').slice(-4).join(' · ');
    // Backends of a killed server need a moment to notice; until then their shared memory is in use.
    if (!/shared memory block|lock file/.test(lastWords) || performance.now() > giveUpAt) throw PostgresStartFailed.because(`${lastWords} (log: ${logFile})`);
    await wait(200);
  }
}

/** The server writes its state into line 8 of its pid file. */
async function becomesReady(child: ChildProcess, dataDir: string, giveUpAt: number): Promise<boolean> {
  const file = join(dataDir, 'postmaster.pid');
  while (child.exitCode === null && child.signalCode === null && performance.now() < giveUpAt) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return true;
    await wait(5);
  }
  if (child.pid !== undefined && isRunning(child.pid)) child.kill('SIGKILL');
  return false;
}

/** A working folder that the server's user may enter, whatever ours is. */
function asOwner(owner: Owner | null): { uid?: number; gid?: number; cwd: string } {
  return owner === null ? { cwd: '/' } : { uid: owner.uid, gid: owner.gid, cwd: '/' };
}
