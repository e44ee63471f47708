import { performance } from 'node:perf_hooks';

/** Time as the consumers see it; tests bring their own. */
export interface Timing {
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Monotonic milliseconds, the scale of `performance.now()`. */
  monotonicMs(): number;
  /** Calls back once, unless cancelled. */
  after(delayMs: number, callback: () => void): () => void;
  /** From 0 up to, but not including, 1. */
  random(): number;
}

export const systemTiming: Timing = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Doubles from 100 ms to 10 s; the jitter keeps many waiting consumers from coming back together. */
export function backOffMs(failures: number, timing: Timing): number {
  const fullMs = Math.min(10_000, 100 * 2 ** Math.min(failures - 1, 10));
  return fullMs * (0.5 + timing.random() / 2);
}

/** True when the promise settled in time; a rejection counts as settled. */
export async function settledWithin(promise: Promise<unknown>, limitMs: number, timing: Timing): Promise<boolean> {
  let cancel = (): void => undefined;
  const limit = new Promise<false>((resolve) => {
    cancel = timing.after(limitMs, () => resolve(false));
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  const inTime = await Promise.race([settled, limit]);
  cancel();
  return inTime;
}
