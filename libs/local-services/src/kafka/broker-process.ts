/** The operating system's side of a broker: it dies with the process that started it, and one left behind is found and stopped. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { JVM_FLAGS, classPath } from './artifacts.js';

/**
 * The shell holds the parent's pipe as its descriptor 3: when the parent goes, however it goes, the read ends and the broker gets SIGTERM.
 * Run on Linux; no Windows.
 */
export const DIE_WITH_PARENT =
  'exec 3<&0; java "$@" </dev/null 3<&- & p=$!; echo $p >"$PIDFILE"; { read -r _ <&3; kill $p; } 2>/dev/null & w=$!; wait $p; rc=$?; kill $w 2>/dev/null; exit $rc';

export const PID_FILE = 'kafka.pid';
export const LOG_FILE = 'kafka.log';
export const PROPERTIES_FILE = 'server.properties';

export interface BrokerProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number>;
  hasExited(): boolean;
  /** Of the java process, not of the shell around it. */
  pid(): number | null;
}

export function spawnBroker(cacheFolder: string, dataDir: string, extraFlags: readonly string[]): BrokerProcess {
  const pidFile = join(dataDir, PID_FILE);
  // Of a broker that has ended; what it names would be taken for this one.
  rmSync(pidFile, { force: true });
  const log = openSync(join(dataDir, LOG_FILE), 'a');
  const javaArguments = [...JVM_FLAGS, ...extraFlags, '-cp', classPath(cacheFolder), 'kafka.Kafka', join(dataDir, PROPERTIES_FILE)];
  const child = spawn('sh', ['-c', DIE_WITH_PARENT, 'sh', ...javaArguments], {
    cwd: cacheFolder,
    stdio: ['pipe', log, log],
    // Its own process group: Ctrl-C in a terminal reaches only the parent, which then stops things in its order.
    detached: true,
    env: { ...process.env, PIDFILE: pidFile },
  });
  closeSync(log);
  let exitCode: number | null = null;
  const exited = new Promise<number>((resolve) => {
    const settle = (code: number | null) => {
      exitCode = code ?? 137;
      resolve(exitCode);
    };
    child.once('exit', settle);
    child.once('error', () => settle(127));
  });
  child.stdin?.on('error', () => child.stdin?.destroy());
  return { child, exited, hasExited: () => exitCode !== null, pid: () => readPid(pidFile) };
}

/** Stops a broker that a killed parent left on this folder. A pid that now belongs to some other program is not touched. */
export async function stopOrphan(dataDir: string): Promise<boolean> {
  const pidFile = join(dataDir, PID_FILE);
  const pid = readPid(pidFile);
  const isOurs = pid !== null && commandLine(pid).includes('kafka.Kafka') && commandLine(pid).includes(join(dataDir, PROPERTIES_FILE));
  if (pid !== null && isOurs) {
    signal(pid, 'SIGTERM');
    if (!(await hasEnded(pid, 10_000))) {
      signal(pid, 'SIGKILL');
      await hasEnded(pid, 5_000);
    }
  }
  rmSync(pidFile, { force: true });
  return isOurs;
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

async function hasEnded(pid: number, timeoutMs: number): Promise<boolean> {
  for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await sleep(20)) {
    if (!commandLine(pid).includes('kafka.Kafka')) return true;
  }
  return false;
}

function readPid(pidFile: string): number | null {
  if (!existsSync(pidFile)) return null;
  const pid = Number(readFileSync(pidFile, 'utf8').trim());
  return Number.isInteger(pid) && pid > 1 ? pid : null;
}

function commandLine(pid: number): string {
  if (existsSync('/proc/self/cmdline')) {
    const file = `/proc/${pid}/cmdline`;
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    // ps exits 1 for a pid that is gone.
    return '';
  }
}
