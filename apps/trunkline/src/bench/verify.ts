import { readJournal } from '@trunkline/simulators';
import type { Databases } from '@trunkline/storage';
import { say } from '../client/output.js';
import { LedgerView } from '../dev/ledger-view.js';
import { demoProviders } from '../dev/seed.js';
import { judge } from '../dev/verdict.js';
import type { Verdict } from './result.js';

/** The log stamps an event a little before or after our own clock. */
const clockSlackMs = 2_000;

export interface Claim {
  readonly organisationId: string;
  /** Run ids by receipt. */
  readonly accepted: readonly string[];
  /** What the ledger held before is left alone. */
  readonly sinceMs: number;
  /** Absent: the demo chain's three. */
  readonly effectsPerEvent?: number;
}

export interface VerifyWishes {
  readonly databases: Databases;
  readonly simulators: readonly { readonly provider: string; readonly dataDir: string }[];
  readonly claims: readonly Claim[];
  /** Runs seen to be done, of all claims. */
  readonly finished: number;
}

/** Holds the ledger against the providers' journals, over everything these organisations sent. */
export async function verify({ databases, simulators, claims, finished }: VerifyWishes): Promise<Verdict> {
  const views = claims.map(({ organisationId, accepted, sinceMs }) => ({ accepted, since: new Date(sinceMs - clockSlackMs), view: new LedgerView(databases, organisationId) }));
  const steps = (await Promise.all(views.map(({ view, since }) => view.steps(since)))).flat();
  const standings = await Promise.all(views.map(({ view }) => view.standing()));
  const missing = (await Promise.all(views.map(({ view, accepted }) => view.missing(accepted)))).flat();
  const journals = await Promise.all(simulators.map(async ({ provider, dataDir }) => ({ provider, entries: await readJournal(dataDir) })));
  const byProvider = Map.groupBy(journals, ({ provider }) => provider);
  const found = judge(Object.fromEntries([...byProvider].map(([provider, each]) => [provider, each.flatMap(({ entries }) => entries)])), steps, demoProviders, missing);
  for (const problem of [...found.lost, ...found.duplicates, ...found.outOfOrder].slice(0, 10)) say(problem);
  const accepted = claims.reduce((sum, claim) => sum + claim.accepted.length, 0);
  const stepsIn = (state: 'parked' | 'dead-lettered'): number => standings.reduce((sum, { states }) => sum + (states[state] ?? 0), 0);
  return {
    effects: found.effects, expectedEffects: claims.reduce((sum, claim) => sum + claim.accepted.length * (claim.effectsPerEvent ?? demoProviders.length), 0), lost: found.lost.length, doubled: found.duplicates.length, outOfOrder: found.outOfOrder.length,
    parked: stepsIn('parked'), deadLettered: stepsIn('dead-lettered'), unfinished: accepted - finished,
  };
}
