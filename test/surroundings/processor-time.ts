import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second towards programs (proc(5)). */
const msPerTick = 10;

interface Counted {
  readonly pid: number;
  readonly parent: number;
  /** Own ones and those of children it has seen end. */
  readonly ticks: number;
}

/** Processor time in ms that a process has had, with its children that have ended; 0 once it has ended itself. */
export function processorMs(pid: number): number {
  return sumMs(countedOf(String(pid)));
}

/** Of a postmaster and its children, those included that have ended. */
export function processorMsOfServer(postmaster: number): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => countedOf(pid));
  return sumMs(all.filter(({ pid, parent }) => pid === postmaster || parent === postmaster));
}

function sumMs(counted: readonly Counted[]): number {
  return counted.reduce((sum, { ticks }) => sum + ticks, 0) * msPerTick;
}

function countedOf(pid: string): readonly Counted[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold spaces and brackets. After it: state (3), ppid (4), … utime (14), stime (15), cutime (16), cstime (17).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
    return [{ pid: Number(pid), parent: fields[1] ?? 0, ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) }];
  } catch {
    // It ended between being listed and being read.
    return [];
  }
}
