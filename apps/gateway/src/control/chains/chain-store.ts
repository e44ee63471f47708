import type { PlannedStep } from '@trunkline/chain';
import { chainVersionEntity, integrationEntity, type ChainVersion } from '@trunkline/storage';
import type { EntityManager } from 'typeorm';
import { PreconditionFailed } from '../../edge/errors.js';

export interface ChainName {
  readonly organisationId: string;
  readonly eventType: string;
  readonly assistantId: string;
}

/** The newest version, in force or about to be. */
export function newestVersion(manager: EntityManager, chain: ChainName): Promise<ChainVersion | null> {
  return manager.getRepository(chainVersionEntity).findOne({ where: { ...chain }, order: { version: 'DESC' } });
}

export async function integrationsOf(manager: EntityManager, organisationId: string): Promise<ReadonlyMap<string, { readonly provider: string; readonly settings: Record<string, unknown> }>> {
  const rows = await manager.getRepository(integrationEntity).find({ where: { organisationId }, select: { organisationId: true, id: true, provider: true, settings: true } });
  return new Map(rows.map(({ id, provider, settings }) => [id, { provider, settings }]));
}

/** P8: a version is written once and is in force from a second after, so that every planner has seen it by then; from a whole millisecond on, for that is what is answered and what events are accepted in. */
export async function addVersion(manager: EntityManager, chain: ChainName, version: number, steps: readonly PlannedStep[]): Promise<{ readonly version: number; readonly validFrom: Date }> {
  try {
    const rows: readonly { valid_from: Date }[] = await manager.query(
      `insert into chain_versions (organisation_id, event_type, assistant_id, version, steps, valid_from)
       values ($1, $2, $3, $4, $5, date_trunc('milliseconds', clock_timestamp() + interval '1001 milliseconds')) returning valid_from`,
      [chain.organisationId, chain.eventType, chain.assistantId, version, JSON.stringify(steps)],
    );
    return { version, validFrom: rows[0]?.valid_from ?? new Date() };
  } catch (error) {
    if (sqlState(error) === '23505') throw PreconditionFailed.from(error, 'somebody else saved this chain just now');
    throw error;
  }
}

/** Raised at commit when the second was nearly over. */
export function cameTooLate(error: unknown): boolean {
  return sqlState(error) === 'TL001';
}

function sqlState(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'driverError' in error ? sqlState(error.driverError) : '';
}
