import type { Client } from 'pg';

/** A process that comes back within this time has only lost a connection; its partitions stay with it. */
export const absenceMs = 750;

/**
 * Takes the lock that shows this process to live, on a connection that carries nothing else which could break it.
 * The server frees it with the connection: a killed process is missed within two heartbeats, a frozen or cut-off one when its lease ends.
 */
export async function showPresence(client: Client, instanceId: string): Promise<void> {
  await client.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [lockName(instanceId)]);
  await client.query('UPDATE event_log.members SET is_present = true, absent_since = NULL WHERE instance_id = $1', [instanceId]);
}

const lockName = (instanceId: string): string => `event_log.instance ${instanceId}`;

/** True where the member `alias` is known to have held its lock and holds it no more. The lock tried for is given back at the statement's or transaction's end. */
export const isGone = (alias: string): string => `(CASE WHEN ${alias}.is_present THEN pg_try_advisory_xact_lock_shared(hashtextextended('event_log.instance ' || ${alias}.instance_id, 0)) ELSE false END)`;

/** Gone for longer than a lost connection takes to come back. */
export const hasBeenGone = (alias: string): string => `(${alias}.absent_since < clock_timestamp() - interval '${absenceMs} ms' AND ${isGone(alias)})`;
