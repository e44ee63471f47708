import type { Plan, PlannedStep } from '@trunkline/chain';
import type { PoolClient } from 'pg';
import type { ChainRef } from '../run-row.js';
import type { CompileChain, CompiledChain } from './compile.js';
import { Recent } from './recent.js';

export interface ChainKey {
  readonly organisationId: string;
  readonly eventType: string;
  readonly assistantId: string;
}

export interface PinnedChain {
  readonly ref: ChainRef;
  readonly plan: Plan;
  readonly compiled: CompiledChain;
}

interface VersionList {
  /** Database clock, before the list was read. */
  readonly readAtMs: number;
  /** Newest first. */
  readonly versions: readonly { readonly version: number; readonly validFromMs: number }[];
}

/**
 * A version is committed at least this long before it is in force (the database refuses a later commit), so a list read within it of a record's append time has every version that may apply.
 * Smaller than the 400 ms of the trigger by what the commit itself may take.
 */
const visibleBeforeMs = 300;
/** Senders name assistants freely, and every name has a list. */
const mostLists = 10_000;
const mostPinned = 2_000;
/** Longer than a flush may take between reading and using. */
const idleMs = 60_000;
const noChain: ChainRef = { eventType: '', assistantId: '', version: 0 };

/** Chain versions as this process has read them (P8). Versions never change, so those are kept while they are used; lists of versions age. */
export class ChainBook {
  private readonly lists: Recent<VersionList>;
  private readonly pinned: Recent<PinnedChain>;

  constructor(
    private readonly compile: CompileChain,
    monotonicMs: () => number = () => performance.now(),
  ) {
    this.lists = new Recent(mostLists, idleMs, monotonicMs);
    this.pinned = new Recent(mostPinned, idleMs, monotonicMs);
  }

  /** Whether the lists read for this key may miss a version that was in force at that time. */
  isStale(key: ChainKey, appendedAtMs: number, clockErrorMs: number): boolean {
    return candidatesOf(key).some((candidate) => {
      const list = this.lists.get(nameOf(candidate));
      return list === undefined || list.readAtMs < appendedAtMs - visibleBeforeMs + clockErrorMs;
    });
  }

  /** The version in force at that time: the assistant's where it has one, else the organisation's, else none. */
  inForce(key: ChainKey, atMs: number): { readonly key: ChainKey; readonly ref: ChainRef } {
    for (const candidate of candidatesOf(key)) {
      const found = this.lists.get(nameOf(candidate))?.versions.find(({ validFromMs }) => validFromMs <= atMs);
      if (found !== undefined) return { key: candidate, ref: { eventType: candidate.eventType, assistantId: candidate.assistantId, version: found.version } };
    }
    return { key, ref: noChain };
  }

  async readLists(client: PoolClient, keys: readonly ChainKey[], nowMs: number): Promise<void> {
    const wanted = [...new Map(keys.flatMap(candidatesOf).map((key) => [nameOf(key), key])).values()];
    if (wanted.length === 0) return;
    const { rows } = await client.query<{ organisation_id: string; event_type: string; assistant_id: string; version: number; valid_from_ms: number }>({
      name: 'chain-lists',
      text: `select c.organisation_id, c.event_type, c.assistant_id, c.version, (extract(epoch from c.valid_from) * 1000)::float8 as valid_from_ms
        from json_to_recordset($1::json) k(organisation_id uuid, event_type text, assistant_id text)
        join chain_versions c on c.organisation_id = k.organisation_id and c.event_type = k.event_type and c.assistant_id = k.assistant_id
        order by c.valid_from desc, c.version desc`,
      values: [JSON.stringify(wanted.map((key) => ({ organisation_id: key.organisationId, event_type: key.eventType, assistant_id: key.assistantId })))],
    });
    const found = Map.groupBy(rows, (row) => nameOf({ organisationId: row.organisation_id, eventType: row.event_type, assistantId: row.assistant_id }));
    for (const key of wanted) {
      const versions = (found.get(nameOf(key)) ?? []).map((row) => ({ version: row.version, validFromMs: row.valid_from_ms }));
      this.lists.set(nameOf(key), { readAtMs: nowMs, versions });
    }
  }

  pinnedAs(organisationId: string, ref: ChainRef): PinnedChain | undefined {
    if (ref.version === 0) return { ref, plan: { steps: [] }, compiled: { prepare: () => ({ kind: 'skip', reason: 'no-chain' }) } };
    return this.pinned.get(pinNameOf(organisationId, ref));
  }

  async readPinned(client: PoolClient, wanted: readonly { readonly organisationId: string; readonly ref: ChainRef }[]): Promise<void> {
    const missing = [...new Map(wanted.filter(({ organisationId, ref }) => this.pinnedAs(organisationId, ref) === undefined).map((pin) => [pinNameOf(pin.organisationId, pin.ref), pin])).values()];
    if (missing.length === 0) return;
    const { rows } = await client.query<{ organisation_id: string; event_type: string; assistant_id: string; version: number; steps: PlannedStep[] }>(
      `select c.organisation_id, c.event_type, c.assistant_id, c.version, c.steps
        from json_to_recordset($1::json) k(organisation_id uuid, event_type text, assistant_id text, version integer)
        join chain_versions c on c.organisation_id = k.organisation_id and c.event_type = k.event_type and c.assistant_id = k.assistant_id and c.version = k.version`,
      [JSON.stringify(missing.map(({ organisationId, ref }) => ({ organisation_id: organisationId, event_type: ref.eventType, assistant_id: ref.assistantId, version: ref.version })))],
    );
    for (const row of rows) {
      const ref = { eventType: row.event_type, assistantId: row.assistant_id, version: row.version };
      this.pinned.set(pinNameOf(row.organisation_id, ref), { ref, plan: { steps: row.steps }, compiled: this.compile(row.steps) });
    }
  }
}

function candidatesOf(key: ChainKey): readonly ChainKey[] {
  return key.assistantId === '' ? [key] : [key, { ...key, assistantId: '' }];
}

function nameOf(key: ChainKey): string {
  return JSON.stringify([key.organisationId, key.eventType, key.assistantId]);
}

function pinNameOf(organisationId: string, ref: ChainRef): string {
  return JSON.stringify([organisationId, ref.eventType, ref.assistantId, ref.version]);
}
