import fc from 'fast-check';
import { Budget, type Grant } from './budget.js';

const minute = { name: 'per_minute', calls: 10, windowMs: 60_000 };
const start = Date.parse('2026-11-20T10:00:00Z');

const grants = (budget: Budget, nowMs: number, maxWaitMs = 0): number => {
  let count = 0;
  while (budget.reserve(1, nowMs, maxWaitMs).kind === 'granted') count += 1;
  return count;
};

it('grants what a window allows and names the time of the next', () => {
  const budget = new Budget([minute]);
  expect(grants(budget, start)).toBe(10);
  const denied = budget.reserve(1, start, 0);
  expect(denied).toMatchObject({ kind: 'denied', because: 'budget.per_minute' });
  if (denied.kind === 'denied') expect(grants(new Budget([minute]), denied.untilMs)).toBe(10);
});

it('never lets more through in any window than allowed, whatever the pattern', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 20_000 }), tries: fc.integer({ min: 1, max: 15 }), waitMs: fc.integer({ min: 0, max: 3_000 }) }), { maxLength: 60 }), (steps) => {
      const budget = new Budget([minute, { name: 'short', calls: 4, windowMs: 5_000 }]);
      const at: number[] = [];
      let nowMs = start;
      for (const { gapMs, tries, waitMs } of steps) {
        nowMs += gapMs;
        for (let number = 0; number < tries; number += 1) {
          const reservation = budget.reserve(1, nowMs, waitMs);
          if (reservation.kind === 'granted') at.push(reservation.grant.atMs);
        }
      }
      for (const { calls, windowMs } of [{ calls: 10, windowMs: 60_000 }, { calls: 4, windowMs: 5_000 }]) {
        for (const end of at) if (at.filter((time) => time > end - windowMs && time <= end).length > calls) return false;
      }
      return at.every((time, index) => time >= (at[index - 1] ?? 0));
    }),
  );
});

it('sends nothing before the time the provider named', () => {
  const budget = new Budget([]);
  budget.closeUntil(start + 5_000, 'http.429');
  expect(budget.reserve(1, start, 1_000)).toEqual({ kind: 'denied', untilMs: start + 5_000, because: 'http.429' });
  expect(budget.reserve(1, start + 5_000, 0)).toMatchObject({ kind: 'granted' });
});

it('counts what others used of the same limit, as the provider tells it', () => {
  const budget = new Budget([minute]);
  budget.reserve(1, start, 0);
  budget.note(3, 20_000, start);
  expect(grants(budget, start)).toBe(3);
  expect(grants(budget, start + 22_000)).toBeGreaterThanOrEqual(6);
});

it('does not take its own calls that are still on their way for those of others', () => {
  const budget = new Budget([minute]);
  for (let number = 0; number < 6; number += 1) budget.reserve(1, start, 0);
  budget.note(9, 60_000, start);
  expect(grants(budget, start)).toBe(4);
});

it('sends nothing before the reset once nothing is left', () => {
  const budget = new Budget([]);
  budget.note(0, 20_000, start);
  expect(budget.reserve(1, start, 0)).toMatchObject({ kind: 'denied', untilMs: start + 20_000 });
});

it('takes over what an earlier owner used', () => {
  const budget = new Budget([minute]);
  budget.inherit([{ name: 'per_minute', used: 9, storedAtMs: start }], start + 100);
  expect(grants(budget, start + 100)).toBe(0);
  expect(grants(budget, start + 62_000)).toBe(10);
});

it('counts the time since the last stored window as fully used', () => {
  const budget = new Budget([minute]);
  budget.inherit([{ name: 'per_minute', used: 0, storedAtMs: start }], start + 30_000);
  expect(grants(budget, start + 30_000)).toBe(5);
});

it('lets what it assumed go bit by bit when nobody was there for long', () => {
  const budget = new Budget([minute]);
  const nowMs = start + 3_600_000;
  budget.inherit([{ name: 'per_minute', used: 10, storedAtMs: start }], nowMs);
  expect(grants(budget, nowMs)).toBe(0);
  expect(grants(budget, nowMs + 31_000)).toBeGreaterThanOrEqual(4);
});

it('has no window where the limit is lifted', () => {
  expect(new Budget([{ ...minute, calls: Number.POSITIVE_INFINITY }]).toStore(start)).toEqual([]);
});

describe('a call counts when it is written', () => {
  const granted = (budget: Budget, nowMs: number, cost = 1): Grant => {
    const reservation = budget.reserve(cost, nowMs, 0);
    if (reservation.kind === 'denied') throw new Error(reservation.because);
    return reservation.grant;
  };

  it('and not when it was granted: what was held up finds no room that others have taken meanwhile', () => {
    const budget = new Budget([minute]);
    const early = Array.from({ length: 10 }, () => granted(budget, start));
    const laterMs = start + 62_000;
    for (const grant of Array.from({ length: 10 }, () => granted(budget, laterMs))) expect(budget.start(grant, laterMs)).toBe(true);
    expect(early.map((grant) => budget.start(grant, laterMs + 1))).toEqual(early.map(() => false));
  });

  it('also where nobody foresaw it: a second call with a new token, a further page', () => {
    const budget = new Budget([minute]);
    const grant = granted(budget, start);
    expect(Array.from({ length: 12 }, () => budget.start(grant, start)).filter(Boolean)).toHaveLength(10);
    expect(grants(budget, start)).toBe(0);
  });

  it('for as long as it is on its way, however long that is', () => {
    const budget = new Budget([minute]);
    for (const grant of Array.from({ length: 10 }, () => granted(budget, start))) budget.start(grant, start);
    expect(grants(budget, start + 100_000)).toBe(0);
    for (let number = 0; number < 10; number += 1) budget.ended(start + 100_000);
    expect(grants(budget, start + 159_000)).toBe(0);
    expect(grants(budget, start + 162_000)).toBe(10);
  });

  it('once: what is given back is free at once', () => {
    const budget = new Budget([minute]);
    const grant = granted(budget, start, 3);
    budget.start(grant, start);
    budget.giveBack(grant);
    budget.giveBack(grant);
    expect(grants(budget, start)).toBe(9);
  });

  it('and lets a command through that needs more calls than a window has', () => {
    const budget = new Budget([{ ...minute, calls: 1 }]);
    const grant = granted(budget, start, 2);
    expect([budget.start(grant, start), budget.start(grant, start), budget.start(grant, start)]).toEqual([true, true, false]);
  });

  it('not before the time that the provider named since it was granted', () => {
    const budget = new Budget([minute]);
    const grant = granted(budget, start);
    budget.closeUntil(start + 5_000, 'http.429');
    expect([budget.start(grant, start + 1_000), budget.start(grant, start + 5_000)]).toEqual([false, true]);
  });
});
