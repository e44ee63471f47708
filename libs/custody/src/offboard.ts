import { inOrganisations } from '@trunkline/storage';
import { departureOf, noteDeparture } from './departures.js';
import { OrganisationUnknown, StillWritten } from './errors.js';
import type { CustodyDatabases } from './rewrap.js';
import { goesIfEmpty, type OffboardingProgress, sweepOnce } from './sweep.js';

export interface OffboardingReport {
  readonly organisationId: string;
  /** From this moment on its credentials cannot be opened by anybody. */
  readonly keysDestroyedAt: string;
  readonly deleted: Readonly<Record<string, number>>;
  readonly people: { readonly membershipsEnded: number; readonly accountsDeleted: number };
}

/** Nothing is begun with a key of it once gateways no longer remember them, so what is written comes to its end, however much of it still lies in a topic. */
const patienceMs = 30 * 60_000;

export interface OffboardingOptions {
  readonly onProgress?: (progress: OffboardingProgress) => void;
  /** How long rows may go on coming. */
  readonly patienceMs?: number;
}

/**
 * An organisation leaves: first its secrets can no longer be opened and its API keys no longer work, then everything of it is deleted in small transactions.
 * Once its row is gone the ledger begins nothing for it any more, and the clearing takes away what was on its way. May be ended and started again at any moment, also after its report.
 */
export async function offboard(databases: CustodyDatabases, organisationId: string, options: OffboardingOptions = {}): Promise<OffboardingReport> {
  const shutAt = await shut(databases, organisationId);
  const departedAt = shutAt ?? (await departureOf(databases, organisationId));
  const keysDestroyedAt = departedAt ?? new Date().toISOString();
  // Before anything is deleted: what is written late is found by it.
  if (shutAt !== null) await noteDeparture(databases, organisationId, shutAt);
  const people = await endMemberships(databases, organisationId);
  const deleted = await takeAway(databases, organisationId, options);
  if (departedAt === null) {
    if (Object.values(deleted).every((rows) => rows === 0)) throw OrganisationUnknown.because(organisationId);
    await noteDeparture(databases, organisationId, keysDestroyedAt);
  }
  return { organisationId, keysDestroyedAt, deleted, people };
}

/** Until nothing is found, not even with the organisation's row in hand: what is at work for it meanwhile may write rows once more. */
async function takeAway(databases: CustodyDatabases, organisationId: string, { onProgress = () => undefined, patienceMs: patience = patienceMs }: OffboardingOptions): Promise<OffboardingReport['deleted']> {
  const deleted = new Map<string, number>();
  await sweepOnce(databases, organisationId, deleted, onProgress);
  // What was there before is no sign of a writer, however long it took.
  for (const giveUpAt = performance.now() + patience; !(await goesIfEmpty(databases, organisationId)); await sweepOnce(databases, organisationId, deleted, onProgress)) {
    if (performance.now() > giveUpAt) throw StillWritten.because(organisationId);
  }
  return Object.fromEntries(deleted);
}

/** One transaction: no key, no credentials, no API key. Null: there is no such organisation (any more). Workers see the new version of an integration within seconds and hold its work. */
async function shut(databases: CustodyDatabases, organisationId: string): Promise<string | null> {
  return inOrganisations(databases, [organisationId], async (client) => {
    // No stronger lock: a transaction that holds one of the rows below and writes its audit entry next, which refers to this row, is waited for, and must not wait for us.
    const { rows } = await client.query<{ at: Date }>('select now() as at from organisations where id = $1 for no key update', [organisationId]);
    const [row] = rows;
    if (row === undefined) return null;
    // Waits for a process that is replacing a key, whose new one the next statement then sees.
    await client.query('select from data_keys where organisation_id = $1 for no key update', [organisationId]);
    await client.query('update data_keys set wrapped = null, destroyed_at = now() where organisation_id = $1 and wrapped is not null', [organisationId]);
    // The grants' rows first, as everywhere.
    await client.query(`update grants set state = 'disconnected', reason = 'disconnected', tokens = null, version = version + 1 where organisation_id = $1 and tokens is not null`, [organisationId]);
    await client.query('update integrations set credentials = null, paused = true, version = version + 1, updated_at = now() where organisation_id = $1 and (credentials is not null or not paused)', [organisationId]);
    await client.query('delete from sign_ins where organisation_id = $1', [organisationId]);
    await client.query('delete from api_key_index where organisation_id = $1', [organisationId]);
    return row.at.toISOString();
  });
}

/** A person who belongs to no other organisation has no account any more. */
async function endMemberships({ access }: CustodyDatabases, organisationId: string): Promise<OffboardingReport['people']> {
  await access.query('update sessions set organisation = null where organisation = $1', [organisationId]);
  const ended = await access.query('update users set organisations = array_remove(organisations, $1::uuid) where $1::uuid = any(organisations) returning id', [organisationId]);
  const ids = ended.rows.map((row: { readonly id: string }) => row.id);
  const gone = await access.query(`delete from users where id = any($1) and organisations = '{}'`, [ids]);
  return { membershipsEnded: ids.length, accountsDeleted: gone.rowCount ?? 0 };
}
