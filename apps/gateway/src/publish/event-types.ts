import { EventTypeUnknown, TrunklineError, isBuiltInEventType } from '@trunkline/contracts';
import { type Databases, inTenant } from '@trunkline/storage';
import { TypesUnavailable } from '../edge/errors.js';
import { Kept } from '../edge/kept.js';

/** Delivery §2: kept 30 s, served up to 15 min while the database is away, so that the accept path does not depend on it. */
const limits = { freshMs: 30_000, staleMs: 15 * 60_000, waitMs: 1_000, entries: 10_000 };
/** A type that is not in the list asks again this soon, so that a chain just attached is usable. */
const askAgainMs = 1_000;

/** Which types an organisation may publish: the built-in ones, and those it has attached a chain to. */
export class EventTypes {
  private readonly custom: Kept<ReadonlySet<string>>;

  constructor(
    private readonly databases: Pick<Databases, 'tenant'>,
    nowMs: () => number = () => performance.now(),
  ) {
    this.custom = new Kept(limits, nowMs);
  }

  /** Null when the type is known; else why the event is refused. Throws `gateway.event_types_unavailable` when nobody can tell. */
  async refusalOf(organisationId: string, type: string): Promise<TrunklineError | null> {
    if (isBuiltInEventType(type)) return null;
    try {
      if ((await this.read(organisationId, limits.freshMs)).has(type)) return null;
      if ((await this.read(organisationId, askAgainMs)).has(type)) return null;
    } catch (error) {
      throw TypesUnavailable.from(error, 'the types of this organisation could not be read');
    }
    return EventTypeUnknown.because(`${JSON.stringify(type)} is neither built in nor attached to a chain of this organisation`);
  }

  async customTypesOf(organisationId: string): Promise<readonly string[]> {
    return [...(await this.read(organisationId, askAgainMs))].filter((type) => !isBuiltInEventType(type)).toSorted();
  }

  /** A chain of this organisation has changed here. */
  forget(organisationId: string): void {
    this.custom.forget(organisationId);
  }

  private async read(organisationId: string, freshMs: number): Promise<ReadonlySet<string>> {
    return (await this.custom.get(organisationId, () => readCustomTypes(this.databases, organisationId), freshMs)) ?? new Set();
  }
}

async function readCustomTypes(databases: Pick<Databases, 'tenant'>, organisationId: string): Promise<ReadonlySet<string>> {
  return inTenant(databases, organisationId, async (client) => {
    const { rows } = await client.query<{ event_type: string }>('select distinct event_type from chain_versions where organisation_id = $1', [organisationId]);
    return new Set(rows.map((row) => row.event_type));
  });
}
