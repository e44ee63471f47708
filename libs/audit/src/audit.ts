import { inTenant, type Databases } from '@trunkline/storage';
import { beginning, canonical, hashOf, type AuditEntry, type StoredEntry } from './entry.js';

/** One connection in a transaction that sees the organisation; the entry is written with what it tells of, or not at all. */
export interface Transaction {
  query(text: string, values: unknown[]): Promise<unknown>;
}

export type NewEntry = Omit<AuditEntry, 'at'>;

/** Adds an entry inside the caller's transaction. Entries of one organisation wait for each other until it commits. */
export async function appendEntry(transaction: Transaction, organisationId: string, entry: NewEntry): Promise<void> {
  await transaction.query(`select pg_advisory_xact_lock(hashtextextended('audit ' || $1, 0))`, [organisationId]);
  const [last] = rowsOf<{ seq: string; hash: Buffer; at: Date }>(
    await transaction.query('select e.seq, e.hash, clock_timestamp() as at from (select 1) one left join lateral (select seq, hash from audit_entries where organisation_id = $1 order by seq desc limit 1) e on true', [organisationId]),
  );
  const seq = Number(last?.seq ?? 0) + 1;
  const content = canonical({ ...entry, at: (last?.at ?? new Date()).toISOString() });
  const hash = hashOf(last?.hash?.toString('hex') ?? beginning, organisationId, seq, content);
  await transaction.query('insert into audit_entries (organisation_id, seq, content, hash) values ($1, $2, $3, $4)', [organisationId, seq, content, Buffer.from(hash, 'hex')]);
}

/** TypeORM's manager answers with the rows, node-postgres with a result that has them. */
function rowsOf<Row>(answer: unknown): readonly Row[] {
  return (Array.isArray(answer) ? answer : (answer as { readonly rows: readonly Row[] }).rows) as readonly Row[];
}

export interface AuditTrail {
  /** In a transaction of its own: for what is done in another place, written before it is done. */
  append(organisationId: string, entry: NewEntry): Promise<void>;
  /** In the order they were written, those after `afterSeq`. */
  list(organisationId: string, page: { readonly afterSeq: number; readonly limit: number }): Promise<readonly StoredEntry[]>;
  /** The newest first, those before `beforeSeq`. */
  newest(organisationId: string, page: { readonly beforeSeq: number | null; readonly limit: number }): Promise<readonly StoredEntry[]>;
}

type Row = { readonly seq: string; readonly content: string; readonly hash: Buffer };
const stored = ({ seq, content, hash }: Row): StoredEntry => ({ seq: Number(seq), content, hash: hash.toString('hex') });

export function createAuditTrail(databases: Pick<Databases, 'tenant'>): AuditTrail {
  const read = (organisationId: string, text: string, values: readonly unknown[]): Promise<readonly StoredEntry[]> => inTenant(databases, organisationId, async (client) => (await client.query<Row>(text, [...values])).rows.map(stored));
  return {
    append: (organisationId, entry) => inTenant(databases, organisationId, (client) => appendEntry(client, organisationId, entry)),
    list: (organisationId, { afterSeq, limit }) => read(organisationId, 'select seq, content, hash from audit_entries where organisation_id = $1 and seq > $2 order by seq limit $3', [organisationId, afterSeq, limit]),
    newest: (organisationId, { beforeSeq, limit }) => read(organisationId, 'select seq, content, hash from audit_entries where organisation_id = $1 and ($2::bigint is null or seq < $2) order by seq desc limit $3', [organisationId, beforeSeq, limit]),
  };
}
