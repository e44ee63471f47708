import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/** Signals a process and, after it, everything below it. One that has gone meanwhile is left out. */
export function signalTree(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined || pid <= 1) return;
  send(pid, signal);
  for (const child of childrenOf(pid)) signalTree(child, signal);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function childrenOf(pid: number): readonly number[] {
  return parents().flatMap(([child, parent]) => (parent === pid ? [child] : []));
}

function parents(): readonly (readonly [pid: number, parent: number])[] {
  if (!existsSync('/proc/self/stat')) return fromPs();
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // The name of the program stands in brackets and may hold anything; the parent is the second word behind it.
      const parent = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1];
      return [[Number(name), Number(parent)] as const];
    } catch {
      // Gone while the list was read.
      return [];
    }
  });
}

function fromPs(): readonly (readonly [number, number])[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number);
    return pid === undefined || parent === undefined ? [] : [[pid, parent] as const];
  });
}
