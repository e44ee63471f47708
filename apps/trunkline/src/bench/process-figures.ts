import { readFileSync, readdirSync } from 'node:fs';
import { commandLineOf } from '@trunkline/local-services';

/** What a bench counts apart. */
export const shares = ['services', 'database', 'broker', 'simulators', 'generator'] as const;
export type Share = (typeof shares)[number];

export interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Own time and that of children it has seen end, in clock ticks. */
  readonly ticks: number;
  readonly ownTicks: number;
}

/** `/proc/<pid>/stat`; the name may hold spaces and brackets, so fields are counted from its last bracket. */
export function parseStat(text: string): ProcessLine {
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ').map(Number);
  // proc(5): after the name come state (3), ppid (4), … utime (14), stime (15), cutime (16), cstime (17).
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  return { pid: Number.parseInt(text, 10), parent: fields[1] ?? 0, name: text.slice(text.indexOf('(') + 1, end), ownTicks: user + system, ticks: user + system + childUser + childSystem };
}

/** Linux counts processor time in hundredths of a second towards programs, whatever its own tick. */
const msPerTick = 10;

export interface ProcessFigures {
  readonly cpuMs: Readonly<Record<Share, number>>;
  readonly memoryMiB: Readonly<Record<Share, number>>;
}

/** Processor time and memory of everything below `servicesPid`, told apart; null where there is no /proc. */
export function readProcessFigures(servicesPid: number, generatorPid: number, withMemory: boolean): ProcessFigures | null {
  const lines = readLines();
  if (lines === null) return null;
  const cpuMs: Record<Share, number> = { services: 0, database: 0, broker: 0, simulators: 0, generator: 0 };
  const memoryMiB: Record<Share, number> = { services: 0, database: 0, broker: 0, simulators: 0, generator: 0 };
  const members: readonly (readonly [ProcessLine, Share])[] = [...sharesBelow(lines, servicesPid), ...lines.filter(({ pid }) => pid === generatorPid).map((line) => [line, 'generator'] as const)];
  for (const [line, share] of members) {
    // Server processes of ended connections live on in their postmaster's figure.
    cpuMs[share] += (share === 'database' ? line.ticks : line.ownTicks) * msPerTick;
    if (withMemory) memoryMiB[share] += memoryOf(line.pid) / 1024;
  }
  return { cpuMs, memoryMiB };
}

export function sharesBelow(lines: readonly ProcessLine[], servicesPid: number, commandOf: (pid: number) => string | null = commandLineOf): readonly (readonly [ProcessLine, Share])[] {
  const found: (readonly [ProcessLine, Share])[] = lines.filter(({ pid }) => pid === servicesPid).map((line) => [line, 'services']);
  for (let index = 0; index < found.length; index += 1) {
    const [parent, share] = found[index] ?? [];
    for (const line of lines) if (line.parent === parent?.pid) found.push([line, share === 'services' ? shareOf(line, commandOf) : (share ?? 'services')]);
  }
  return found;
}

function shareOf({ pid, name }: ProcessLine, commandOf: (pid: number) => string | null): Share {
  if (name === 'postgres') return 'database';
  if (name === 'java') return 'broker';
  return (commandOf(pid) ?? '').includes(' sim ') ? 'simulators' : 'services';
}

function readLines(): readonly ProcessLine[] | null {
  if (process.platform !== 'linux') return null;
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    const text = readOrNothing(`/proc/${pid}/stat`);
    return text === '' ? [] : [parseStat(text)];
  });
}

/** In KiB; shared pages counted in parts where the kernel lets us see them. */
function memoryOf(pid: number): number {
  const proportional = /^Pss:\s+(\d+)/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`));
  return Number((proportional ?? /^VmRSS:\s+(\d+)/m.exec(readOrNothing(`/proc/${pid}/status`)))?.[1] ?? 0);
}

/** A process may end between being listed and being read. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
