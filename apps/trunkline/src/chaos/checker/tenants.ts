import type { Evidence } from './evidence.js';
import type { Finding } from './verdict.js';

/** I6. A question that shows nothing of one's own either proves nothing, and says so. */
export function checkTenants({ foreign }: Pick<Evidence, 'foreign'>): Finding {
  const breaches = foreign.filter((answer) => answer.foreign > 0).map(({ asked, foreign: count, example }) => ({ invariant: 'I6' as const, says: `${asked} showed ${count} rows of another organisation${example === null ? '' : `, such as ${example}`}`, runId: null, eventId: null }));
  if (foreign.length > 0 && foreign.every(({ own }) => own === 0)) breaches.push({ invariant: 'I6', says: 'no question showed anything at all, so none proves anything', runId: null, eventId: null });
  const blind = foreign.filter(({ own }) => own === 0).length;
  return { invariant: 'I6', checked: foreign.length, note: `${foreign.reduce((sum, { own }) => sum + own, 0)} own rows seen${blind > 0 ? `; ${blind} questions showed nothing of one's own` : ''}`, breaches };
}
