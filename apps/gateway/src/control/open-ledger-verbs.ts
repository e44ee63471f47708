import type { Databases } from '@trunkline/storage';
import { Internal } from '../edge/errors.js';
import type { LedgerVerbs } from './ledger-verbs.js';

export function openLedgerVerbs(_databases: Databases): LedgerVerbs {
  const absent = (): Promise<never> => Promise.reject(Internal.because('the ledger has no verbs yet'));
  return { listRuns: absent, showRun: absent, replay: absent, cancel: absent, settle: absent, listDeadLetters: absent, showDeadLetter: absent, redrive: absent, processQueue: absent, pause: absent, resume: absent };
}
