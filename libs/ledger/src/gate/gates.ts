import type { PoolClient } from 'pg';
import { Gate, type CallWindow, type GateFacts } from './gate.js';

interface GateRow {
  readonly organisation_id: string;
  readonly id: string;
  readonly provider: string;
  readonly settings: Record<string, unknown>;
  readonly paused: boolean;
  readonly open_at_ms: number | null;
  readonly reason: string | null;
}

export interface IntegrationKey {
  readonly organisationId: string;
  readonly integrationId: string;
}

/** Every integration this process has had to do with, and its gate. */
export class Gates {
  /** By organisation, then integration: no name is put together for each look. */
  private readonly gates = new Map<string, Map<string, Gate>>();

  constructor(
    private readonly mostInFlight: number,
    private readonly random: () => number,
    private readonly windowsOf: (provider: string, settings: Readonly<Record<string, unknown>>) => readonly CallWindow[] = () => [],
  ) {}

  of({ organisationId, integrationId }: IntegrationKey): Gate {
    let ofOrganisation = this.gates.get(organisationId);
    if (ofOrganisation === undefined) this.gates.set(organisationId, (ofOrganisation = new Map()));
    let gate = ofOrganisation.get(integrationId);
    if (gate === undefined) ofOrganisation.set(integrationId, (gate = new Gate(organisationId, integrationId, this.mostInFlight)));
    return gate;
  }

  known({ organisationId, integrationId }: IntegrationKey): Gate | undefined {
    return this.gates.get(organisationId)?.get(integrationId);
  }

  all(): readonly Gate[] {
    return [...this.gates.values()].flatMap((ofOrganisation) => [...ofOrganisation.values()]);
  }

  /** Something about the organisation's integrations has changed: what was read is read again before it is used. */
  forget(organisationId: string): void {
    for (const gate of this.gates.get(organisationId)?.values() ?? []) gate.factsReadAtMs = -Infinity;
  }

  /** Drops what has not been used for long, so that the once-a-second query stays about the living. */
  prune(unusedSinceMs: number): void {
    for (const [organisationId, ofOrganisation] of this.gates) {
      for (const [integrationId, gate] of ofOrganisation) if (gate.usedAtMs < unusedSinceMs && gate.inFlight.size === 0 && !gate.hasBacklog) ofOrganisation.delete(integrationId);
      if (ofOrganisation.size === 0) this.gates.delete(organisationId);
    }
  }

  /** Saving an integration opens a gate that waits for somebody to reconnect. Its time says when that began, not when it became true; the version cannot be passed by. */
  async read(client: PoolClient, keys: readonly IntegrationKey[], nowMs: number): Promise<void> {
    if (keys.length === 0) return;
    const { rows } = await client.query<GateRow>({
      name: 'gates',
      text: `select i.organisation_id, i.id, i.provider, i.settings, i.paused, g.reason,
          case when g.reason = 'reconnect' and (i.updated_at > g.changed_at or i.version > g.integration_version) then 0 when g.open_at = 'infinity' then 'Infinity'::float8 else (extract(epoch from g.open_at) * 1000)::float8 end as open_at_ms
        from json_to_recordset($1::json) k(organisation_id uuid, integration_id uuid)
        join integrations i on i.organisation_id = k.organisation_id and i.id = k.integration_id
        left join gates g on g.organisation_id = i.organisation_id and g.integration_id = i.id
        where k.integration_id = coalesce(k.integration_id, k.organisation_id)`,
      values: [JSON.stringify(keys.map((key) => ({ organisation_id: key.organisationId, integration_id: key.integrationId })))],
    });
    const found = new Map(rows.map((row) => [`${row.organisation_id}/${row.id}`, row]));
    for (const key of keys) {
      const row = found.get(`${key.organisationId}/${key.integrationId}`);
      this.of(key).update(row === undefined ? null : this.factsOf(row), nowMs, this.random);
    }
  }

  private factsOf({ provider, settings, paused, open_at_ms: openAtMs, reason }: GateRow): GateFacts {
    return { provider, settings, isPaused: paused, openAtMs: openAtMs ?? 0, reason, windows: this.windowsOf(provider, settings) };
  }
}
