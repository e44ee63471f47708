import type { JournalEntry, SimulatedProvider } from '@trunkline/simulators';

/** The record that one step of the council's chain leaves behind. Contacts, tokens and the like are no effect of a step. */
const effectRecords: Readonly<Record<SimulatedProvider, string>> = { genesys: 'note', techone: 'WorkRequest', salesforce: 'Task' };

export interface Effect {
  readonly provider: SimulatedProvider;
  readonly eventId: string;
  readonly recordId: string;
  readonly reference: string;
  readonly seq: number;
  readonly atMs: number;
}

/** Effects of one provider in the order in which they were made, told by what was written. */
export function effectsIn(provider: SimulatedProvider, journal: readonly JournalEntry[]): readonly Effect[] {
  return journal
    .filter(({ recordType, kind }) => recordType === effectRecords[provider] && kind === 'created')
    .map((entry) => ({ provider, eventId: eventIdIn(entry), recordId: entry.recordId, reference: entry.effectReference ?? '(none)', seq: entry.seq, atMs: Date.parse(entry.at) }));
}

function eventIdIn(entry: JournalEntry): string {
  return /Request ([^\s:"]+):/.exec(JSON.stringify(entry.body))?.[1] ?? `(no event id in ${entry.recordId})`;
}

export interface Verdict {
  readonly effects: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly outOfOrder: readonly string[];
}

export interface Expected {
  readonly eventIds: readonly string[];
  /** In the order of the chain. */
  readonly providers: readonly SimulatedProvider[];
  /** Event ids of one subject in the order in which their runs were planned, for each subject. */
  readonly planned?: ReadonlyMap<string, readonly string[]>;
  /** Provider whose effects keep that order. */
  readonly ordered?: SimulatedProvider;
}

/** Every event once at every provider, by content and by reference; a step after its predecessor; effects of one subject as planned. */
export function judge(effects: readonly Effect[], { eventIds, providers, planned = new Map(), ordered }: Expected): Verdict {
  const byContent = Map.groupBy(effects, ({ provider, eventId }) => `${provider} ${eventId}`);
  const byReference = Map.groupBy(effects, ({ provider, reference }) => `${provider} reference ${reference}`);
  const first = (provider: SimulatedProvider, eventId: string): Effect | undefined => byContent.get(`${provider} ${eventId}`)?.[0];
  const lost = providers.flatMap((provider) => eventIds.filter((id) => first(provider, id) === undefined).map((id) => `${provider} ${id}`));
  const doubled = [...byContent, ...byReference].filter(([, same]) => new Set(same.map(({ recordId }) => recordId)).size > 1).map(([name]) => name);
  const early = eventIds.flatMap((id) =>
    providers.slice(1).flatMap((provider, index) => {
      const [before, after] = [first(providers[index] ?? provider, id), first(provider, id)];
      return after !== undefined && (before === undefined || before.atMs > after.atMs) ? [`${id}: ${provider} before ${providers[index]}`] : [];
    }),
  );
  return { effects: effects.length, lost, doubled, outOfOrder: [...early, ...(ordered === undefined ? [] : overtaking(ordered, planned, first))] };
}

function overtaking(provider: SimulatedProvider, planned: ReadonlyMap<string, readonly string[]>, first: (provider: SimulatedProvider, eventId: string) => Effect | undefined): readonly string[] {
  return [...planned].flatMap(([subject, eventIds]) =>
    eventIds.slice(1).flatMap((id, index) => {
      const [before, after] = [first(provider, eventIds[index] ?? id), first(provider, id)];
      return before !== undefined && after !== undefined && before.seq > after.seq ? [`${subject}: ${id} overtook ${eventIds[index]}`] : [];
    }),
  );
}
