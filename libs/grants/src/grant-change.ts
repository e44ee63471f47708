import type { GrantState } from './grant-rows.js';

/** How a grant stands, as far as a trail keeps it. */
export interface GrantStanding {
  readonly state: GrantState;
  readonly reason: string | null;
  readonly connectedBy: string;
}

/** Called inside the transaction that connects or disconnects, so that what it writes is there with the change or not at all. `before` null: nobody had signed in. */
export type AlongWithGrant = (transaction: { query(text: string, values: unknown[]): Promise<unknown> }, before: GrantStanding | null, after: GrantStanding) => Promise<void>;

export const standing = 'state, reason, connected_by as "connectedBy"';
