import type { Evidence, ForeignEvidence } from './evidence.js';
import type { Breach, Finding } from './verdict.js';

/**
 * Tables that may hold nothing when a rehearsal is over. All others must hold rows of both organisations and show each its own: a question about a table without rows proves nothing.
 */
export const emptyWithReason: Readonly<Record<string, string>> = {
  audit_entries: 'written where somebody changes something at the gateway; a run without a pause and without a revoked grant has nobody who does',
  dead_letters: 'written where something fails for good, which here nothing should',
  gates: 'written where a provider throttles or refuses credentials, which not every run sees',
  grants: 'written where a person signs in at a provider; these integrations have credentials of their own',
  handovers: 'gone when the call is answered',
  invitations: 'no people',
  memberships: 'no people',
  organisation_plans: 'written where an operator gives a plan; without one the usual limits hold',
  sign_ins: 'no people',
  subject_holders: 'gone when a run\'s ordered steps are over, which at the end they are',
  subject_turns: 'one of the two organisations has no ordered step',
};

/** I6. */
export function checkTenants({ foreign }: Pick<Evidence, 'foreign'>): Finding {
  const breaches = foreign.flatMap((answer) => [leakIn(answer), blindnessOf(answer)].flatMap((says): Breach[] => (says === null ? [] : [{ invariant: 'I6', says, runId: null, eventId: null }])));
  const empty = new Set(foreign.filter(isBlind).map(({ table }) => table).filter((table) => table !== null));
  const seen = foreign.reduce((sum, { own }) => sum + own, 0);
  return { invariant: 'I6', checked: foreign.filter((answer) => !isBlind(answer)).length, note: `${seen} own rows seen${empty.size === 0 ? '' : `; ${foreign.filter(isBlind).length} questions prove nothing, since they were about tables that may be empty: ${[...empty].toSorted().join(', ')}`}`, breaches };
}

function leakIn({ asked, foreign, example }: ForeignEvidence): string | null {
  return foreign === 0 ? null : `${asked} showed ${foreign} rows of another organisation${example === null ? '' : `, such as ${example}`}`;
}

/** Something must be there to be shown, and something to be hidden. */
function isBlind({ ownThere, foreignThere }: ForeignEvidence): boolean {
  return ownThere === 0 || foreignThere === 0;
}

function blindnessOf(answer: ForeignEvidence): string | null {
  const { asked, table, own, ownThere, foreignThere } = answer;
  if (own === 0 && ownThere > 0) return `${asked} showed nothing, although ${ownThere} of its own rows were there`;
  if (!isBlind(answer) || (table !== null && Object.hasOwn(emptyWithReason, table))) return null;
  return `${asked} proves nothing: ${ownThere} of its own rows were there, and ${foreignThere} of others`;
}
