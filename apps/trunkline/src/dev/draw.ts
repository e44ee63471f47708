import { setTimeout as wait } from 'node:timers/promises';
import { say } from '../client/output.js';
import type { LedgerView } from './ledger-view.js';
import { whenDatabaseAnswers } from './patience.js';
import { runLine } from './run-line.js';
import { SeenOnce } from './seen-once.js';

const lookEveryMs = 250;
const tellHeldEveryMs = 10_000;

/** Draws one line for each run that ends, and every ten seconds what is held up and why, until the signal. */
export async function drawRuns(view: LedgerView, signal: AbortSignal): Promise<void> {
  let since = new Date();
  let toldAtMs = performance.now();
  const drawn = new SeenOnce();
  while (!signal.aborted) {
    const from = new Date(since.getTime() - 2 * lookEveryMs);
    drawn.forgetBefore(from.getTime());
    const finished = await whenDatabaseAnswers(() => view.finishedSince(from), signal);
    for (const run of finished) {
      if (!drawn.isNew(run.eventId, run.finishedAt.getTime())) continue;
      if (run.finishedAt > since) since = run.finishedAt;
      say(runLine(run));
    }
    if (performance.now() - toldAtMs > tellHeldEveryMs) {
      toldAtMs = performance.now();
      await tellHeld(view, signal);
    }
    await wait(lookEveryMs, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

async function tellHeld(view: LedgerView, signal: AbortSignal): Promise<void> {
  const held = await whenDatabaseAnswers(() => view.held(), signal);
  if (held.length > 0) say(`          held up: ${held.map(({ stepId, state, reason, count }) => `${count} × ${stepId} ${state}${reason === null ? '' : ` (${reason})`}`).join(', ')}`);
}
