import { type Databases, inOrganisations } from '@trunkline/storage';

export type GrantState = 'connected' | 'reconnect' | 'disconnected';

/** One grant as it is stored. Times are told as what is left of them, so that no two clocks are compared. */
export interface GrantRow {
  readonly state: GrantState;
  readonly reason: string | null;
  readonly tokens: Buffer | null;
  /** Counts what was stored. */
  readonly version: number;
  /** Of the access token; null: until the provider refuses it. */
  readonly leftMs: number | null;
  readonly lifeMs: number | null;
  /** Somebody is refreshing it, or was a moment ago without success: it rests. */
  readonly lease: 'held' | 'resting' | 'free';
  readonly isKeepAliveDue: boolean;
}

/** Leave to refresh. `unfinished`: how many before ran out of time and never said how it ended. */
export interface Claim {
  readonly holder: string;
  readonly unfinished: number;
}

export interface Refreshed {
  readonly sealed: Buffer;
  readonly lifeMs: number | null;
  readonly keepAliveMs: number;
}

const one = 'organisation_id = $1 and integration_id = $2';

/** The row of one integration's grant. Every change is guarded by the version it was decided on. */
export class GrantRows {
  constructor(
    private readonly databases: Pick<Databases, 'system'>,
    readonly organisationId: string,
    readonly integrationId: string,
  ) {}

  async read(): Promise<GrantRow | null> {
    const rows = await this.query<GrantRow>(
      `select state, reason, tokens, version,
         (extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as "leftMs",
         (extract(epoch from expires_at - refreshed_at) * 1000)::float8 as "lifeMs",
         case when refreshing_until is null or refreshing_until <= clock_timestamp() then 'free' when refreshing_by is null then 'resting' else 'held' end as lease,
         coalesce(keep_alive_at <= clock_timestamp(), false) as "isKeepAliveDue"
       from grants where ${one}`,
    );
    return rows[0] ?? null;
  }

  /** One at a time in all processes. Null: somebody else has it, or the grant is another by now. */
  async claim(version: number, holder: string, leaseMs: number): Promise<Claim | null> {
    const rows = await this.query<{ readonly unfinished: number }>(
      `update grants set refreshing_by = $4, refreshing_until = clock_timestamp() + make_interval(secs => $5::float8 / 1000), unfinished = unfinished + (refreshing_by is not null)::int
       where ${one} and version = $3 and state = 'connected' and (refreshing_until is null or refreshing_until <= clock_timestamp()) returning unfinished`,
      [version, holder, leaseMs],
    );
    return rows[0] === undefined ? null : { holder, unfinished: rows[0].unfinished };
  }

  /**
   * What the provider answered takes the place of the version it was made from, also when the lease ran out meanwhile or somebody parked the grant:
   * nothing newer can come from the same refresh token. False: there is a newer version.
   */
  async store(version: number, { sealed, lifeMs, keepAliveMs }: Refreshed): Promise<boolean> {
    return inOrganisations(this.databases, [this.organisationId], async (client) => {
      const of = [this.organisationId, this.integrationId];
      const { rowCount } = await client.query(
        `update grants set tokens = $4, version = version + 1, state = 'connected', reason = null, refreshing_by = null, refreshing_until = null, unfinished = 0, refreshed_at = clock_timestamp(),
           expires_at = clock_timestamp() + make_interval(secs => $5::float8 / 1000), keep_alive_at = clock_timestamp() + make_interval(secs => $6::float8 / 1000)
         where ${one} and version = $3 and state <> 'disconnected'`,
        [...of, version, sealed, lifeMs, keepAliveMs],
      );
      if (rowCount !== 1) return false;
      // Work that waits for somebody to reconnect need not any more: a gate opens when its integration is newer than its closing.
      await client.query(`update integrations set updated_at = clock_timestamp() where organisation_id = $1 and id = $2 and exists (select from gates where organisation_id = $1 and integration_id = $2 and reason = 'reconnect')`, of);
      return true;
    });
  }

  /** The refresh has ended without tokens; nobody tries again for a moment. `isLost`: there may have been some, and nobody has them. */
  async rest(holder: string, restMs: number, isLost: boolean): Promise<void> {
    await this.query(`update grants set refreshing_by = null, refreshing_until = clock_timestamp() + make_interval(secs => $4::float8 / 1000), unfinished = $5 where ${one} and refreshing_by = $3`, [holder, restMs, isLost ? 1 : 0]);
  }

  /** Nothing but a person can help. False: the grant is another by now, or somebody else is at it. */
  async park(version: number, holder: string, reason: string): Promise<boolean> {
    const rows = await this.query(
      `update grants set state = 'reconnect', reason = $5, refreshing_by = null, refreshing_until = null
       where ${one} and version = $3 and state = 'connected' and (refreshing_by = $4 or refreshing_until is null or refreshing_until <= clock_timestamp()) returning 1`,
      [version, holder, reason],
    );
    return rows.length === 1;
  }

  private query<Row>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return inOrganisations(this.databases, [this.organisationId], async (client) => (await client.query(text, [this.organisationId, this.integrationId, ...values])).rows as Row[]);
  }
}
