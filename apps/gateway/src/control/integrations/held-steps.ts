import { type Databases, inOrganisations } from '@trunkline/storage';

const mostCounted = 100_000;

/** Steps that could go out but wait: for the integration's gate, or for their turn behind those of the same subject that do. At most 100,000 are counted. */
export async function heldSteps(databases: Pick<Databases, 'system'>, organisationId: string, integrationId: string): Promise<number> {
  const { rows } = await inOrganisations(databases, [organisationId], (client) =>
    client.query<{ held: number }>(
      `select count(*)::int as held from (select from due_work where organisation_id = $1 and integration_id = $2 and kind in ('gate', 'turn') limit $3) waiting`,
      [organisationId, integrationId, mostCounted],
    ),
  );
  return rows[0]?.held ?? 0;
}
