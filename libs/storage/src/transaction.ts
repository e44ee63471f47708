import type { Pool, PoolClient } from 'pg';
import type { Databases } from './databases.js';
import { OrganisationInvalid } from './errors.js';
import { classifyFailure } from './failure.js';

export type Work<T> = (client: PoolClient) => Promise<T>;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** One transaction that sees one organisation. The setting ends with the transaction, so nothing is left for the connection's next user. */
export async function inTenant<T>(databases: Pick<Databases, 'tenant'>, organisationId: string, work: Work<T>): Promise<T> {
  return inTransaction(databases.tenant, 'app.org_id', [organisationId], work);
}

export interface Opening {
  /** Statements without parameters that begin the transaction. */
  readonly statements: string;
}

/**
 * One transaction that sees exactly these organisations: those whose records are in the batch. The statements of an `opening` travel with its beginning.
 */
export async function inOrganisations<T>(databases: Pick<Databases, 'system'>, organisationIds: readonly string[], work: Work<T>, opening?: Opening): Promise<T> {
  return inTransaction(databases.system, 'app.org_ids', [...new Set(organisationIds)], work, opening);
}

/** Throws when one of them is not a UUID: the policies would fail late, inside a query. */
export function checkOrganisations(organisationIds: readonly string[]): void {
  const wrong = organisationIds.find((id) => !uuid.test(id));
  if (wrong !== undefined || organisationIds.length === 0) throw OrganisationInvalid.because(wrong === undefined ? 'none was given' : `${JSON.stringify(wrong)} is not a UUID`);
}

async function inTransaction<T>(pool: Pool, setting: 'app.org_id' | 'app.org_ids', organisationIds: readonly string[], work: Work<T>, opening?: Opening): Promise<T> {
  checkOrganisations(organisationIds);
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw classifyFailure(error, 'connecting');
  }
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken = error;
  };
  // Without a listener a connection that dies between two queries of ours would end the process.
  client.on('error', onError);
  try {
    // Answered before the work begins: sent behind it unanswered, a first statement could be heard although nothing had begun.
    await begin(client, `begin; set local ${setting} = '${organisationIds.join(',')}'; ${opening?.statements ?? ''}`);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    broken ??= await rollBack(client);
    throw classifyFailure(error, 'in a transaction');
  } finally {
    client.removeListener('error', onError);
    client.release(broken);
  }
}

/** One statement without parameters: `checkOrganisations` has let nothing but UUIDs into the text. Where it is refused the connection ends, before any answer to what was sent behind it is heard. */
function begin(client: PoolClient, text: string): Promise<unknown> {
  const begun = client.query(text);
  begun.catch(() => client.connection.stream.destroy());
  return begun;
}

/** A connection that cannot even roll back is given back as broken: the pool closes it and the server rolls back. */
async function rollBack(client: PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
