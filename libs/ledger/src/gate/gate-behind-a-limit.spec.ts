import { Gate } from './gate.js';

interface Limit {
  readonly calls: number;
  readonly windowMs: number;
}

const tickMs = 50;
const latencyMs = 100;
/** As long as a worker lets a command wait for its turn before it refuses. */
const waitMs = 2_000;

/** A worker as the gate sees it: grants the earliest moment within the limit if that is near, refuses until then otherwise. */
class LimitedWorker {
  private readonly grants: number[] = [];

  constructor(private readonly limit: Limit) {}

  ask(nowMs: number): { readonly kind: 'granted' | 'refused'; readonly atMs: number } {
    const last = this.grants.at(-1) ?? -Infinity;
    const blocking = this.grants.at(-this.limit.calls) ?? -Infinity;
    const atMs = Math.max(nowMs, last, blocking + this.limit.windowMs);
    if (atMs - nowMs > waitMs) return { kind: 'refused', atMs };
    this.grants.push(atMs);
    return { kind: 'granted', atMs };
  }
}

interface Answer {
  readonly dispatch: string;
  readonly atMs: number;
  readonly untilMs: number | null;
}

/** A backlog without end behind one gate, and a ledger that looks at it as it does: at once when an answer comes, and once a second. */
function watch(limit: Limit, seconds: number, isKnown = false): { readonly commands: number; readonly calls: number } {
  const gate = new Gate('organisation', 'integration', 512);
  const worker = new LimitedWorker(limit);
  const open = { provider: 'p', settings: {}, isPaused: false, openAtMs: 0, reason: null, ...(isKnown && { windows: [limit] }) };
  gate.update(open, 0, () => 0.5);
  let answers: Answer[] = [];
  let commands = 0;
  let calls = 0;
  let leased = 0;
  for (let nowMs = 0; nowMs < seconds * 1_000; nowMs += tickMs) {
    const due = answers.filter(({ atMs }) => atMs <= nowMs);
    answers = answers.filter(({ atMs }) => atMs > nowMs);
    for (const { dispatch, untilMs } of due) {
      gate.answered(dispatch, untilMs === null ? 'done' : 'other', nowMs);
      if (untilMs === null) calls += 1;
      else if (gate.facts !== null && gate.facts.openAtMs < untilMs) gate.update({ ...open, openAtMs: untilMs, reason: 'throttled' }, nowMs, () => 0.5);
    }
    if (nowMs % 1_000 === 0 || due.length > 0) leased = gate.closedBecause(nowMs) === null ? gate.ahead(nowMs) : 0;
    for (; leased > 0 && gate.room(nowMs) > 0; leased -= 1) {
      commands += 1;
      const dispatch = String(commands);
      gate.sent(dispatch, nowMs);
      const { kind, atMs } = worker.ask(nowMs + tickMs);
      answers.push(kind === 'granted' ? { dispatch, atMs: atMs + latencyMs, untilMs: null } : { dispatch, atMs: nowMs + 2 * tickMs, untilMs: atMs });
    }
  }
  return { commands, calls };
}

describe('a gate before a worker that keeps to a limit', () => {
  it.each<[string, Limit, number]>([
    ['60 a minute', { calls: 60, windowMs: 60_000 }, 120],
    ['60 a minute, for long', { calls: 60, windowMs: 60_000 }, 1_200],
    ['one a second', { calls: 1, windowMs: 1_000 }, 300],
    ['300 a minute', { calls: 300, windowMs: 60_000 }, 600],
    ['100 in ten seconds', { calls: 100, windowMs: 10_000 }, 300],
    ['10,000 a day, after the first hour', { calls: 10_000, windowMs: 86_400_000 }, 3_600],
  ])('spends at most 1.2 commands per call and uses nearly all of the limit: %s', (_, limit, seconds) => {
    const { commands, calls } = watch(limit, seconds);
    const allowed = Math.ceil((seconds * 1_000) / limit.windowMs) * limit.calls;
    expect(commands / calls).toBeLessThanOrEqual(1.2);
    expect(calls).toBeGreaterThan(0.85 * allowed);
  });

  /** What is in flight when a window is used up comes back in vain; a limit that the ledger knows costs that from the first window on. */
  it.each<[string, Limit, number]>([
    ['60 a minute', { calls: 60, windowMs: 60_000 }, 65],
    ['300 a minute', { calls: 300, windowMs: 60_000 }, 65],
    ['20 a second', { calls: 20, windowMs: 1_000 }, 30],
    ['100 in ten seconds', { calls: 100, windowMs: 10_000 }, 30],
  ])('spends hardly a command in vain where it knows the limit: %s', (_, limit, seconds) => {
    const { commands, calls } = watch(limit, seconds, true);
    const allowed = Math.ceil((seconds * 1_000) / limit.windowMs) * limit.calls;
    expect(commands / calls).toBeLessThanOrEqual(1.12);
    expect(calls).toBeGreaterThan(0.85 * allowed);
  });

  it('holds nothing back where there is no limit', () => {
    const { commands, calls } = watch({ calls: 1_000_000, windowMs: 1_000 }, 20);
    expect(calls).toBeGreaterThan(20_000);
    expect(commands - calls).toBeLessThanOrEqual(512);
  });
});
