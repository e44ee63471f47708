import { setTimeout as wait } from 'node:timers/promises';
import { isDatabaseAway, StorageUnavailable } from '@trunkline/storage';

const againMs = 500;

/** Asks until the database answers: it may be starting again. Other errors, and the signal, end it. */
export async function whenDatabaseAnswers<Value>(ask: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted || !(StorageUnavailable.matches(error) || isDatabaseAway(error))) throw error;
    }
    await wait(againMs);
  }
}
