import type { Command } from '@trunkline/contracts';
import { inOrganisations, type Databases } from '@trunkline/storage';

/** A call still running whose record no longer holds its partition. Never blocks a call: after `expires_at` the step is resent (delivery §6.6). */
export class Handovers {
  constructor(
    private readonly databases: Databases,
    private readonly worker: string,
  ) {}

  async write(command: Command, leftMs: number): Promise<void> {
    await inOrganisations(this.databases, [command.organisationId], (client) =>
      client.query(
        `insert into handovers (organisation_id, run_id, step_id, dispatch, integration_id, expires_at, worker)
         values ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 millisecond', $7)
         on conflict (organisation_id, run_id, step_id, dispatch) do update set expires_at = greatest(handovers.expires_at, excluded.expires_at), worker = excluded.worker`,
        [command.organisationId, command.runId, command.stepId, command.dispatch, command.integrationId, Math.ceil(leftMs), this.worker],
      ),
    );
  }

  async remove({ organisationId, runId, stepId, dispatch }: Command): Promise<void> {
    await inOrganisations(this.databases, [organisationId], (client) =>
      client.query('delete from handovers where organisation_id = $1 and run_id = $2 and step_id = $3 and dispatch = $4', [organisationId, runId, stepId, dispatch]),
    );
  }
}
