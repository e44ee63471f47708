import { setTimeout as wait } from 'node:timers/promises';
import { say } from '../client/output.js';
import type { LedgerView } from './ledger-view.js';
import { runLine } from './run-line.js';

const lookEveryMs = 250;

/** Draws one line for each run that ends, until the signal. */
export async function drawFinishedRuns(view: LedgerView, signal: AbortSignal): Promise<void> {
  let since = new Date();
  const drawn = new Set<string>();
  while (!signal.aborted) {
    for (const run of await view.finishedSince(new Date(since.getTime() - 2 * lookEveryMs))) {
      if (drawn.has(run.eventId)) continue;
      drawn.add(run.eventId);
      if (run.finishedAt > since) since = run.finishedAt;
      say(runLine(run));
    }
    await wait(lookEveryMs, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
