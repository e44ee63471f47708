import type { Databases } from '@trunkline/storage';
import { placeOfDataKey, type KeyWrapper } from '@trunkline/vault';
import type { Pool } from 'pg';

export interface DataKeyRow {
  readonly organisationId: string;
  readonly id: string;
  readonly wrapped: Buffer;
}

export interface RewrapProgress {
  readonly seen: number;
  readonly total: number;
  readonly wrappedAnew: number;
}

const pageSize = 200;

/** How many data keys each master key still wraps: a master key that wraps none may go. */
export async function masterKeysInUse(custody: Pool, wrapper: Pick<KeyWrapper, 'masterKeyIdOf'>): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for await (const { wrapped } of everyDataKey(custody)) {
    const id = wrapper.masterKeyIdOf(wrapped);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/**
 * Wraps every data key with the current master key. Nothing that was sealed is touched and nothing has to stop: a key opens before and after,
 * as long as each running process knows both master keys. May be ended and started again at any moment.
 */
export async function wrapAnew(custody: Pool, wrapper: KeyWrapper, onProgress: (progress: RewrapProgress) => void = () => undefined): Promise<RewrapProgress> {
  const { rows } = await custody.query<{ total: number }>('select count(*)::int as total from data_keys where wrapped is not null');
  const total = rows[0]?.total ?? 0;
  let seen = 0;
  let wrappedAnew = 0;
  for await (const row of everyDataKey(custody)) {
    seen += 1;
    if (wrapper.masterKeyIdOf(row.wrapped) !== wrapper.currentId && (await wrapOne(custody, wrapper, row))) wrappedAnew += 1;
    if (seen % pageSize === 0) onProgress({ seen, total, wrappedAnew });
  }
  onProgress({ seen, total, wrappedAnew });
  return { seen, total, wrappedAnew };
}

/** Guarded by the bytes that were read: a key destroyed or wrapped by another run meanwhile stays as it is. */
async function wrapOne(custody: Pool, wrapper: KeyWrapper, { organisationId, id, wrapped }: DataKeyRow): Promise<boolean> {
  const place = placeOfDataKey(organisationId, id);
  const anew = await wrapper.wrap(await wrapper.unwrap(wrapped, place), place);
  const { rowCount } = await custody.query('update data_keys set wrapped = $4 where organisation_id = $1 and id = $2 and wrapped = $3', [organisationId, id, wrapped, anew]);
  return rowCount === 1;
}

/** Page by page in the order of their key, so that no size of the table is held in memory or in one long transaction. */
async function* everyDataKey(custody: Pool): AsyncGenerator<DataKeyRow> {
  let after: readonly [string, string] = ['00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000'];
  for (;;) {
    const { rows } = await custody.query<DataKeyRow>(
      'select organisation_id as "organisationId", id, wrapped from data_keys where wrapped is not null and (organisation_id, id) > ($1, $2) order by organisation_id, id limit $3',
      [...after, pageSize],
    );
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = [last.organisationId, last.id];
  }
}

/** Every organisation that ever stored a secret. */
export async function organisationsWithSecrets(custody: Pool): Promise<readonly string[]> {
  const { rows } = await custody.query<{ id: string }>('select distinct organisation_id as id from data_keys where wrapped is not null order by 1');
  return rows.map(({ id }) => id);
}

export type CustodyDatabases = Pick<Databases, 'tenant' | 'system' | 'access'>;
