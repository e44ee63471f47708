import type { Pool, PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import type { Databases } from './databases.js';
import { OrganisationInvalid, RolledBack } from './errors.js';
import { classifyFailure } from './failure.js';

export type Work<T> = (client: PoolClient) => Promise<T>;

/** Work that may say which statements are its last. */
export type WholeWork<T> = (client: PoolClient, ending: Ending) => Promise<T>;

/** Nothing that node-postgres would have to convert: a value that it refuses would be left out, and what stands before it would be committed. */
export interface LastStatement {
  readonly name: string;
  readonly text: string;
  readonly values: (string | number | null | readonly string[])[];
}

export interface Ending {
  /**
   * The last statements of the transaction, with COMMIT right behind them: one round trip for all. Answers once the commit is confirmed. Where a statement fails, PostgreSQL answers the COMMIT with ROLLBACK, and the statement's error is thrown.
   * A connection that breaks on the way leaves open whether it was committed, as with any COMMIT. `sent` is called when the statements are on their way and the COMMIT is not.
   */
  commitBehind<Row extends QueryResultRow>(statements: readonly LastStatement[], sent?: () => void): Promise<readonly QueryResult<Row>[]>;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** One transaction that sees one organisation. The setting ends with the transaction, so nothing is left for the connection's next user. */
export async function inTenant<T>(databases: Pick<Databases, 'tenant'>, organisationId: string, work: Work<T>): Promise<T> {
  return inTransaction(databases.tenant, 'app.org_id', [organisationId], work);
}

export interface Opening {
  /** Statements without parameters that begin the transaction. */
  readonly statements: string;
  /**
   * The work does not wait until the beginning is answered. Nothing it asks is heard where nothing has begun, but what it sends by then runs all the same, alone and seeing no organisation:
   * only for work whose first statements read, or write nothing but what the policies refuse or what is true anyway.
   */
  readonly goesOn?: true;
}

/**
 * One transaction that sees exactly these organisations: those whose records are in the batch. The statements of an `opening` travel with its beginning.
 */
export async function inOrganisations<T>(databases: Pick<Databases, 'system'>, organisationIds: readonly string[], work: WholeWork<T>, opening?: Opening): Promise<T> {
  return inTransaction(databases.system, 'app.org_ids', [...new Set(organisationIds)], work, opening);
}

/** Throws when one of them is not a UUID: the policies would fail late, inside a query. */
export function checkOrganisations(organisationIds: readonly string[]): void {
  const wrong = organisationIds.find((id) => !uuid.test(id));
  if (wrong !== undefined || organisationIds.length === 0) throw OrganisationInvalid.because(wrong === undefined ? 'none was given' : `${JSON.stringify(wrong)} is not a UUID`);
}

async function inTransaction<T>(pool: Pool, setting: 'app.org_id' | 'app.org_ids', organisationIds: readonly string[], work: WholeWork<T>, opening?: Opening): Promise<T> {
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
  const begun = begin(client, `begin; set local ${setting} = '${organisationIds.join(',')}'; ${opening?.statements ?? ''}`);
  const transaction = new Transaction(client, begun);
  try {
    const goesOn = opening?.goesOn === true && client.pipeline;
    if (!goesOn) await begun;
    const result = await work(goesOn ? heardAfter(begun, client) : client, transaction);
    if (!transaction.isEnded) await transaction.commit();
    return result;
  } catch (error) {
    if (!transaction.isEnded) broken ??= await rollBack(client);
    throw classifyFailure(error, 'in a transaction');
  } finally {
    client.removeListener('error', onError);
    client.release(broken);
  }
}

class Transaction implements Ending {
  /** The server has answered the COMMIT, whatever it answered: there is nothing left to roll back. */
  isEnded = false;

  constructor(
    private readonly client: PoolClient,
    private readonly begun: Promise<unknown>,
  ) {}

  async commitBehind<Row extends QueryResultRow>(statements: readonly LastStatement[], sent: () => void = () => undefined): Promise<readonly QueryResult<Row>[]> {
    const answered = Promise.all(statements.map((statement) => this.client.query<Row>(statement)));
    answered.catch(() => undefined);
    if (!this.client.pipeline) await answered;
    sent();
    const [answers, committed] = await Promise.allSettled([answered, this.commit()]);
    await this.begun;
    // Its own error says more than a COMMIT that could not be.
    if (answers.status === 'rejected') throw answers.reason;
    if (committed.status === 'rejected') throw committed.reason;
    return answers.value;
  }

  async commit(): Promise<void> {
    const [{ command }] = await Promise.all([this.client.query('commit'), this.begun]);
    this.isEnded = true;
    if (command !== 'COMMIT') throw RolledBack.because(`COMMIT was answered with ${command}`);
  }
}

/** The same connection, whose answers count only once the transaction has begun. */
function heardAfter(begun: Promise<unknown>, client: PoolClient): PoolClient {
  const query = async (config: string | QueryConfig, values?: unknown[]): Promise<QueryResult> => {
    const answer = client.query(config, values);
    answer.catch(() => undefined);
    await begun;
    return answer;
  };
  return Object.create(client, { query: { value: query } });
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
