import { Limiter } from './limits.js';
import type { LimitRule } from './limits.js';

const fixed: LimitRule = { name: 'fixed', allowed: 2, windowMs: 60_000, window: 'fixed', countedPer: 'token' };
const rolling: LimitRule = { name: 'rolling', allowed: 3, windowMs: 96_000, window: 'rolling', countedPer: 'organisation' };

function refused(limiter: Limiter, token: string, atMs: number): boolean {
  return limiter.admit(token, atMs, 1).refusedBy !== undefined;
}

describe('call limits', () => {
  it('starts a fixed window with the first call in it', () => {
    const limiter = new Limiter({ rules: [fixed] }, 'vendor');
    expect([0, 59_999, 59_999].map((at) => refused(limiter, 'a', 10_000 + at))).toEqual([false, false, true]);
    expect(refused(limiter, 'a', 70_000)).toBe(false);
    expect(limiter.admit('a', 75_000, 1).usage).toMatchObject({ used: 2, resetMs: 55_000 });
    expect(limiter.windows()).toMatchObject([{ calls: 2, refused: 1 }, { calls: 2, refused: 0 }]);
  });

  it('counts each token apart', () => {
    const limiter = new Limiter({ rules: [fixed] }, 'vendor');
    expect(['a', 'a', 'b', 'b', 'a'].map((token) => refused(limiter, token, 0))).toEqual([false, false, false, false, true]);
  });

  it('looks back over a rolling window', () => {
    const limiter = new Limiter({ rules: [rolling] }, 'vendor');
    expect([0, 50_000, 90_000, 95_000].map((at) => refused(limiter, 'a', at))).toEqual([false, false, false, true]);
    expect([96_000, 97_000].map((at) => refused(limiter, 'a', at))).toEqual([false, true]);
  });

  it('lets a call through only if no rule is full, and counts a refused one in none', () => {
    const limiter = new Limiter({ rules: [rolling, fixed] }, 'vendor');
    expect([0, 0, 0, 0].map((at) => refused(limiter, 'a', at))).toEqual([false, false, true, true]);
    expect(refused(limiter, 'b', 0)).toBe(false);
  });

  it('refuses what is over the number of calls at once', () => {
    const limiter = new Limiter({ rules: [fixed], concurrentCalls: 2 }, 'vendor');
    expect(limiter.admit('a', 0, 3).refusedBy).toEqual({ concurrentCalls: 2 });
    limiter.change('off');
    expect(limiter.admit('a', 0, 3).refusedBy).toBeUndefined();
  });

  it('tells nothing of what is left when it is off: callers that heed it would wait for a limit nobody keeps', () => {
    expect(new Limiter({ rules: [fixed] }, 'off').admit('a', 0, 1).usage).toBeUndefined();
  });

  it('counts but never refuses when it is off, and takes any number a minute', () => {
    const limiter = new Limiter({ rules: [fixed] }, 'off');
    for (let call = 0; call < 10; call += 1) expect(refused(limiter, 'a', 0)).toBe(false);
    expect(limiter.windows()).toMatchObject([{ calls: 10 }]);
    limiter.change({ perMinute: 1 });
    expect([0, 1, 60_000].map((at) => refused(limiter, 'a', at))).toEqual([false, true, false]);
  });
});
