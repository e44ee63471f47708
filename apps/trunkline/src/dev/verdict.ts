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
  /** Our reference at the provider: the step's effect key. */
  readonly reference: string;
  /** Does what was written name this event and no other? Not so for events of other sources, which may share ids, and for replays that were to write again. */
  readonly isToldByContent: boolean;
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
  readonly eventId: string | null;
  readonly reference: string | null;
  readonly recordId: string;
  readonly atMs: number;
  readonly seq: number;
}

/**
 * Holds the ledger against the providers' own journals, over their whole life. Lost: a step is done, or an event accepted, and no effect is there, by our reference or by what was written.
 * Doubled: more than one record for a reference or for an event. Out of order: a step's effect before its predecessor's, or two effects of one subject against planning order.
 */
export function judge(journals: Readonly<Record<string, readonly JournalEntry[]>>, steps: readonly LedgerStep[], chain: readonly string[], acceptedWithoutRun: readonly string[]): Verdict {
  const known = new Set(steps.filter((step) => step.isToldByContent).map((step) => step.eventId));
  const effects = Object.entries(journals).flatMap(([provider, entries]) => effectsOf(provider, entries, known));
  const byReference = new Map(effects.map((effect) => [`${effect.provider} ${effect.reference}`, effect]));
  const contents = new Set(effects.map((effect) => `${effect.provider} ${effect.eventId}`));
  const isFound = (step: LedgerStep): boolean => byReference.has(`${step.provider} ${step.reference}`) && (!step.isToldByContent || contents.has(`${step.provider} ${step.eventId}`));
  const lost = steps.filter((step) => step.state === 'done' && !isFound(step)).map((step) => `${step.provider} has nothing of event ${step.eventId} (run ${step.runId})`);
  return {
    effects: effects.length,
    lost: [...lost, ...acceptedWithoutRun.map((id) => `event ${id} was accepted and has no run`)],
    duplicates: [...doubled(effects, (effect) => effect.eventId, 'event'), ...doubled(effects, (effect) => effect.reference, 'reference')],
    outOfOrder: [...againstChain(byReference, steps, chain), ...againstPlanning(byReference, steps)],
  };
}

function effectsOf(provider: string, entries: readonly JournalEntry[], known: ReadonlySet<string>): readonly Effect[] {
  const created = entries.filter((entry) => entry.recordType === effectRecords[provider] && entry.kind === 'created');
  return created.map((entry) => ({ provider, eventId: eventIdIn(entry.body, known), reference: entry.effectReference ?? null, recordId: entry.recordId, atMs: Date.parse(entry.at), seq: entry.seq }));
}

/** The demo's mappings begin a text with `Request <event id>: `; that is the business content by which effects are told, whatever our references say. An id may hold anything, a colon too. */
export function eventIdIn(body: unknown, known: ReadonlySet<string>): string | null {
  for (const text of textsIn(body)) {
    if (!text.startsWith('Request ')) continue;
    for (let end = text.indexOf(': '); end >= 0; end = text.indexOf(': ', end + 1)) {
      const id = text.slice('Request '.length, end);
      if (known.has(id)) return id;
    }
  }
  return null;
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
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
  return [...Map.groupBy(steps, (step) => step.runId).values()].flatMap((ofRun) => {
    const inOrder = chain.flatMap((provider) => ofRun.filter((step) => step.provider === provider));
    return inOrder.flatMap((step, index) => {
      const before = inOrder[index - 1];
      const effect = found.get(`${step.provider} ${step.reference}`);
      if (before === undefined || effect === undefined) return [];
      const earlier = found.get(`${before.provider} ${before.reference}`);
      return earlier === undefined || earlier.atMs > effect.atMs ? [`event ${step.eventId}: ${step.provider} was written before ${before.provider}`] : [];
    });
  });
}

function againstPlanning(found: ReadonlyMap<string, Effect>, steps: readonly LedgerStep[]): readonly string[] {
  const ordered = steps.filter((step) => step.isOrdered && step.subject !== null && found.has(`${step.provider} ${step.reference}`));
  const bySubject = Map.groupBy(ordered, (step) => `${step.organisationId} ${step.provider} ${step.subject}`);
  return [...bySubject.values()].flatMap((ofSubject) => inversions(found, ofSubject.toSorted((one, other) => one.planned - other.planned)));
}

function inversions(found: ReadonlyMap<string, Effect>, ofSubject: readonly LedgerStep[]): readonly string[] {
  return ofSubject.flatMap((step, index) => {
    const before = ofSubject[index - 1];
    const effect = found.get(`${step.provider} ${step.reference}`);
    const earlier = before === undefined ? undefined : found.get(`${before.provider} ${before.reference}`);
    return before !== undefined && effect !== undefined && earlier !== undefined && effect.seq < earlier.seq ? [`${step.provider}: event ${step.eventId} overtook ${before.eventId} of the same subject`] : [];
  });
}
