import { type Databases, inOrganisations } from '@trunkline/storage';

export interface DueGrant {
  readonly organisationId: string;
  readonly integrationId: string;
}

const atOnce = 100;

/** Grants of all organisations that nobody has used for as long as their provider's definition allows. */
export async function grantsDue({ keeper }: Pick<Databases, 'keeper'>, providers: readonly string[]): Promise<readonly DueGrant[]> {
  const { rows } = await keeper.query<DueGrant>(
    `select organisation_id as "organisationId", integration_id as "integrationId" from grants where state = 'connected' and keep_alive_at <= clock_timestamp() and provider = any($1) order by keep_alive_at limit ${atOnce}`,
    [providers],
  );
  return rows;
}

/** What could not be used now does not stand in the way of the others. */
export async function postponeKeepAlive(databases: Pick<Databases, 'system'>, { organisationId, integrationId }: DueGrant, byMs: number): Promise<void> {
  await inOrganisations(databases, [organisationId], (client) =>
    client.query('update grants set keep_alive_at = clock_timestamp() + make_interval(secs => $3::float8 / 1000) where organisation_id = $1 and integration_id = $2 and keep_alive_at <= clock_timestamp()', [organisationId, integrationId, byMs]),
  );
}
