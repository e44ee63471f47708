import type { JournalEntry } from '@trunkline/simulators';

/** What the demo's providers keep of one event: a note, a job, a summary. Everything else in a journal (contacts, tokens) is no effect of a step. */
const effectRecords: Readonly<Record<string, string>> = { genesys: 'note', techone: 'WorkRequest', salesforce: 'Task' };

/** One step as the ledger has it, beside the event it belongs to. */
export interface LedgerStep {
  readonly organisationId: string;
  readonly runId: string;
  readonly eventId: string;
  readonly subject: string | null;
  /** Place of the run in planning order: of two runs of one subject the lower was planned first. */
  readonly planned: number;
  readonly provider: string;
  readonly state: string;
  /** Does this step promise the order of its subject? */
  readonly isOrdered: boolean;
}

export interface Verdict {
  readonly effects: number;
  readonly lost: readonly string[];
  readonly duplicates: readonly string[];
  readonly outOfOrder: readonly string[];
}

interface Effect {
  readonly provider: string;
  readonly eventId: string;
  readonly reference: string | null;
  readonly recordId: string;
  readonly atMs: number;
  readonly seq: number;
}

/**
 * Holds the ledger against the providers' own journals, over their whole life. Lost: a step is done, or an event accepted, and no effect is there.
 * Doubled: more than one record for an event (by what the record says) or for a reference. Out of order: a step's effect before its predecessor's,
 * or two effects of one subject against planning order.
 */
export function judge(journals: Readonly<Record<string, readonly JournalEntry[]>>, steps: readonly LedgerStep[], chain: readonly string[], acceptedWithoutRun: readonly string[]): Verdict {
  const effects = Object.entries(journals).flatMap(([provider, entries]) => effectsOf(provider, entries));
  const found = new Map(effects.map((effect) => [`${effect.provider} ${effect.eventId}`, effect]));
  const lost = steps.filter((step) => step.state === 'done' && !found.has(`${step.provider} ${step.eventId}`)).map((step) => `${step.provider} has nothing of event ${step.eventId} (run ${step.runId})`);
  return {
    effects: effects.length,
    lost: [...lost, ...acceptedWithoutRun.map((id) => `event ${id} was accepted and has no run`)],
    duplicates: [...doubled(effects, (effect) => effect.eventId, 'event'), ...doubled(effects, (effect) => effect.reference, 'reference')],
    outOfOrder: [...againstChain(found, steps, chain), ...againstPlanning(found, steps)],
  };
}

function effectsOf(provider: string, entries: readonly JournalEntry[]): readonly Effect[] {
  const created = entries.filter((entry) => entry.recordType === effectRecords[provider] && entry.kind === 'created');
  return created.map((entry) => ({ provider, eventId: eventIdIn(entry.body), reference: entry.effectReference ?? null, recordId: entry.recordId, atMs: Date.parse(entry.at), seq: entry.seq }));
}

/** The demo's mappings begin each text with `Request <event id>:`; that is the business content by which doubles are told, whatever our references say. */
export function eventIdIn(body: unknown): string {
  return /Request ([^\s:"]+):/.exec(JSON.stringify(body))?.[1] ?? '(no event id)';
}

function doubled(effects: readonly Effect[], by: (effect: Effect) => string | null, what: string): readonly string[] {
  const records = new Map<string, Set<string>>();
  for (const effect of effects) {
    const name = by(effect);
    if (name === null) continue;
    const key = `${effect.provider} holds ${what} ${name}`;
    records.set(key, (records.get(key) ?? new Set()).add(effect.recordId));
  }
  return [...records].filter(([, ids]) => ids.size > 1).map(([key, ids]) => `${key} ${ids.size} times: ${[...ids].join(', ')}`);
}

function againstChain(found: ReadonlyMap<string, Effect>, steps: readonly LedgerStep[], chain: readonly string[]): readonly string[] {
  const problems: string[] = [];
  for (const eventId of new Set(steps.map((step) => step.eventId))) {
    for (const [index, provider] of chain.entries()) {
      const effect = found.get(`${provider} ${eventId}`);
      const before = index === 0 ? undefined : found.get(`${chain[index - 1]} ${eventId}`);
      if (effect !== undefined && index > 0 && (before === undefined || before.atMs > effect.atMs)) problems.push(`event ${eventId}: ${provider} was written before ${chain[index - 1]}`);
    }
  }
  return problems;
}

function againstPlanning(found: ReadonlyMap<string, Effect>, steps: readonly LedgerStep[]): readonly string[] {
  const bySubject = new Map<string, LedgerStep[]>();
  for (const step of steps) {
    if (!step.isOrdered || step.subject === null || !found.has(`${step.provider} ${step.eventId}`)) continue;
    const key = `${step.organisationId} ${step.provider} ${step.subject}`;
    bySubject.set(key, [...(bySubject.get(key) ?? []), step]);
  }
  return [...bySubject.values()].flatMap((ofSubject) => inversions(found, ofSubject.toSorted((one, other) => one.planned - other.planned)));
}

function inversions(found: ReadonlyMap<string, Effect>, ofSubject: readonly LedgerStep[]): readonly string[] {
  const problems: string[] = [];
  for (const [index, step] of ofSubject.entries()) {
    const before = ofSubject[index - 1];
    if (before === undefined) continue;
    const effect = found.get(`${step.provider} ${step.eventId}`);
    const earlier = found.get(`${before.provider} ${before.eventId}`);
    if (effect !== undefined && earlier !== undefined && effect.seq < earlier.seq) problems.push(`${step.provider}: event ${step.eventId} overtook ${before.eventId} of the same subject`);
  }
  return problems;
}
