import type { Evidence } from './evidence.js';
import type { Breach, Finding } from './verdict.js';

/** I1. */
export function checkReceipts({ receipts, runs }: Pick<Evidence, 'receipts' | 'runs'>): Finding {
  const breaches = receipts.flatMap(({ runId, eventId, organisationId, atMs }): Breach[] => {
    const run = runs.get(runId);
    if (run?.organisationId === organisationId && run.eventId === eventId) return [];
    const says = run === undefined ? `event ${eventId} was answered with 2xx at ${new Date(atMs).toISOString()} and has no run` : `the receipt of event ${eventId} names the run of event ${run.eventId}`;
    return [{ invariant: 'I1', says, runId, eventId }];
  });
  return { invariant: 'I1', checked: receipts.length, note: `${runs.size} runs`, breaches };
}
