import { SimulatorArgumentWrong } from './errors.js';
import { isObject } from './call.js';

export interface FaultMatch {
  readonly method?: string;
  /** A part of the path, or a regular expression written `/…/`. */
  readonly path?: string;
  readonly operation?: string;
}

/** What goes wrong, for whom, and for how long. Without `times` and `forMs` it stays until it is taken away. */
export interface Fault {
  readonly id: number;
  readonly match: FaultMatch;
  /** Answer with this status in the provider's own error shape. */
  readonly status?: number;
  /** With `status`: the write is done and journaled all the same. */
  readonly applied?: boolean;
  /** Sent as it is: seconds or an HTTP date. */
  readonly retryAfter?: string;
  /** Answer late; a write is done at once. */
  readonly latencyMs?: number;
  /** Answer only when the fault is taken away; a write is done at once. */
  readonly holds?: boolean;
  /** The write itself happens only after this time, whether or not the caller still waits. */
  readonly commitAfterMs?: number;
  /** Cut the connection before anything is done, or after the write is in the journal. */
  readonly reset?: 'before' | 'after';
  /** Do the work, then answer with half of the body. */
  readonly malformed?: boolean;
  /** Do the work, then answer with a body that has no end. */
  readonly endless?: boolean;
  /** Searches show a write only after this time. */
  readonly searchLagMs?: number;
  /** Answer with this JSON value. */
  readonly body?: unknown;
  /** Answer with this page as text/html; `true` means the provider's login page. */
  readonly html?: string | true;
}

interface ActiveFault {
  readonly fault: Fault;
  readonly pattern: RegExp | undefined;
  left: number;
  readonly untilMs: number;
  used: number;
  /** What waits for its end. */
  readonly held: (() => void)[];
}

export class Faults {
  private active: ActiveFault[] = [];
  private nextId = 1;

  add(input: unknown, nowMs: number): Fault {
    const { fault, times, forMs } = readFault(input, this.nextId);
    this.nextId += 1;
    this.active.push({
      fault,
      pattern: patternOf(fault.match.path),
      left: times ?? Number.POSITIVE_INFINITY,
      untilMs: forMs === undefined ? Number.POSITIVE_INFINITY : nowMs + forMs,
      used: 0,
      held: [],
    });
    return fault;
  }

  clear(id?: number): void {
    const gone = this.active.filter(({ fault }) => id === undefined || fault.id === id);
    this.active = this.active.filter((one) => !gone.includes(one));
    for (const { held } of gone) for (const goOn of held) goOn();
  }

  /** Goes on when that fault is taken away. */
  hold(id: number, goOn: () => void): void {
    const active = this.active.find(({ fault }) => fault.id === id);
    if (active === undefined) goOn();
    else active.held.push(goOn);
  }

  /** The first fault that fits this call; using it counts. */
  take(method: string, path: string, operation: string, nowMs: number): Fault | undefined {
    if (this.active.length === 0) return undefined;
    const found = this.active.find((candidate) => candidate.left > 0 && nowMs < candidate.untilMs && fits(candidate, method, path, operation));
    if (found === undefined) return undefined;
    found.left -= 1;
    found.used += 1;
    return found.fault;
  }

  list(nowMs: number): readonly unknown[] {
    return this.active.map(({ fault, left, untilMs, used }) => ({
      ...fault,
      used,
      ...(Number.isFinite(left) ? { timesLeft: left } : {}),
      ...(Number.isFinite(untilMs) ? { leftMs: Math.max(0, untilMs - nowMs) } : {}),
    }));
  }
}

function patternOf(path: string | undefined): RegExp | undefined {
  const pattern = /^\/(.+)\/$/.exec(path ?? '')?.[1];
  if (pattern === undefined || !/[\\^$.*+?()[\]|]/.test(pattern)) return undefined;
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw SimulatorArgumentWrong.from(error, 'reading match.path as a regular expression');
  }
}

function fits({ fault: { match }, pattern }: ActiveFault, method: string, path: string, operation: string): boolean {
  if (match.method !== undefined && match.method.toUpperCase() !== method) return false;
  if (match.operation !== undefined && match.operation !== operation) return false;
  if (match.path === undefined) return true;
  return pattern === undefined ? path.includes(match.path) : pattern.test(path);
}

const kinds: Readonly<Record<string, (value: unknown) => boolean>> = {
  match: isObject,
  status: (value) => Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599,
  applied: (value) => typeof value === 'boolean',
  retryAfter: (value) => typeof value === 'string' || typeof value === 'number',
  latencyMs: isDuration,
  holds: (value) => typeof value === 'boolean',
  commitAfterMs: isDuration,
  reset: (value) => value === 'before' || value === 'after',
  malformed: (value) => typeof value === 'boolean',
  endless: (value) => typeof value === 'boolean',
  searchLagMs: isDuration,
  body: () => true,
  html: (value) => value === true || typeof value === 'string',
  times: (value) => Number.isInteger(value) && Number(value) > 0,
  forMs: isDuration,
};

function isDuration(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function readFault(input: unknown, id: number): { fault: Fault; times: number | undefined; forMs: number | undefined } {
  if (!isObject(input)) throw SimulatorArgumentWrong.because('a fault is a JSON object');
  for (const [key, value] of Object.entries(input)) {
    if (kinds[key]?.(value) !== true) throw SimulatorArgumentWrong.because(`fault has a wrong or unknown ${key}`, { known: Object.keys(kinds) });
  }
  const { times, forMs, match, retryAfter, ...rest } = input;
  const fault = { ...rest, id, match: match ?? {}, ...(retryAfter === undefined ? {} : { retryAfter: String(retryAfter) }) } as Fault;
  return { fault, times: times as number | undefined, forMs: forMs as number | undefined };
}
