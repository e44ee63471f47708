import { type Databases, inTenant } from '@trunkline/storage';
import type { GrantState } from './grant-rows.js';

/** What may be seen of a grant. */
export interface GrantView {
  readonly integrationId: string;
  readonly state: GrantState;
  readonly reason: string | null;
  readonly connectedBy: string;
  readonly connectedAt: Date;
  readonly refreshedAt: Date;
  readonly expiresAt: Date | null;
}

export async function grantsOf(databases: Pick<Databases, 'tenant'>, organisationId: string): Promise<readonly GrantView[]> {
  return inTenant(databases, organisationId, async (client) =>
    (await client.query<GrantView>('select integration_id as "integrationId", state, reason, connected_by as "connectedBy", connected_at as "connectedAt", refreshed_at as "refreshedAt", expires_at as "expiresAt" from grants where organisation_id = $1', [organisationId])).rows,
  );
}
