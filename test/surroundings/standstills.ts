import { setTimeout as wait } from 'node:timers/promises';

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Asked extends Span {
  /** How much of it the process asked, or this one, neither worked nor answered. */
  readonly stoodMs: number;
}

const everyMs = 20;
/** Less than this is the usual time of an answer. */
const usualMs = 50;

/**
 * Asks a process again and again for what it has at hand: while it stands still no answer leaves it.
 * Where it worked meanwhile it did not stand still but was busy: its processor time is no standstill.
 */
export function askOnAndOn(url: string, processorMs: () => number): { end(): Promise<readonly Asked[]> } {
  const asked: Asked[] = [];
  let isOver = false;
  const asking = (async () => {
    // From answer to answer, so that what stands still between two questions is seen too.
    for (let [fromMs, workedMs] = [performance.now(), processorMs()]; !isOver; ) {
      await wait(everyMs);
      await (await fetch(url)).arrayBuffer();
      const [toMs, workedByNowMs] = [performance.now(), processorMs()];
      const stoodMs = toMs - fromMs - everyMs - (workedByNowMs - workedMs);
      asked.push({ fromMs, toMs, stoodMs: stoodMs > usualMs ? stoodMs : 0 });
      [fromMs, workedMs] = [toMs, workedByNowMs];
    }
  })();
  // Whoever ends it hears of it.
  asking.catch(() => undefined);
  return { end: async () => ((isOver = true), await asking, asked) };
}

/** How long something took without the standstills that lie in it. */
export function ownMs({ fromMs, toMs }: Span, asked: readonly Asked[]): number {
  return asked.reduce((ms, one) => ms - Math.min(one.stoodMs, Math.max(0, Math.min(toMs, one.toMs) - Math.max(fromMs, one.fromMs))), toMs - fromMs);
}
