import { setTimeout as wait } from 'node:timers/promises';

/** Asks again until the answer is neither false nor undefined; says what it waited for when it never came. */
export async function until<T>(what: string, ask: () => Promise<T | false | undefined> | T | false | undefined, patienceMs = 20_000, everyMs = 25): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== false && answer !== undefined) return answer;
    if (performance.now() > giveUpAt) throw new Error(`${what} did not happen within ${patienceMs} ms`);
    await wait(everyMs);
  }
}
