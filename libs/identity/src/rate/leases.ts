import type { Databases } from '@trunkline/storage';
import { sha256Of } from '../access/secret-token.js';

export interface Lease {
  /** At most what was asked for, less when the window has no more. */
  readonly granted: number;
  /** What the window has left for everybody, after this. */
  readonly left: number;
  readonly endsInMs: number;
}

/** Where gateways get their slices from. */
export interface Leases {
  /** What is counted together. */
  readonly windowMs: number;
  lease(subject: string, wanted: number, quota: number): Promise<Lease>;
  sweep(): Promise<void>;
}

/** The database's clock decides which window it is, so gateways need not agree on the time. */
const statement = `insert into rate_leases as held (subject, window_start, taken, granted)
  values ($1, date_bin($4::interval, now(), timestamptz 'epoch'), least($2::bigint, $3::bigint), least($2::bigint, $3::bigint))
  on conflict (subject, window_start) do update set granted = greatest(0, least($2::bigint, $3::bigint - held.taken)), taken = held.taken + greatest(0, least($2::bigint, $3::bigint - held.taken))
  returning granted::float8, taken::float8, extract(epoch from window_start + $4::interval - now())::float8 * 1000 as ends_in_ms`;

export function databaseLeases({ access }: Pick<Databases, 'access'>, windowSeconds: number): Leases {
  const window = `${windowSeconds} seconds`;
  return {
    windowMs: windowSeconds * 1_000,
    lease: async (subject, wanted, quota) => {
      const { rows } = await access.query<{ granted: number; taken: number; ends_in_ms: number }>(statement, [sha256Of(subject), wanted, quota, window]);
      const row = rows[0];
      return row === undefined ? { granted: 0, left: 0, endsInMs: windowSeconds * 1_000 } : { granted: row.granted, left: Math.max(0, quota - row.taken), endsInMs: row.ends_in_ms };
    },
    sweep: async () => {
      await access.query(`delete from rate_leases where window_start < now() - greatest(interval '1 hour', 2 * $1::interval)`, [window]);
    },
  };
}
