import type { QueryResultRow } from 'pg';
import type { Databases } from './databases.js';
import { classifyFailure } from './failure.js';
import { checkOrganisations } from './transaction.js';

export interface Statement {
  /** Prepared once per connection under this name. */
  readonly name: string;
  /** Continues a `with` list; its parameters begin at $2. Every row it reads or writes has to come out of a join with `scope`, which names the organisations: what is looked at before sees none of them and is refused. */
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A transaction of one statement that sees exactly these organisations: one round trip instead of three. The setting ends with the statement. */
export async function statementInOrganisations<Row extends QueryResultRow>(databases: Pick<Databases, 'system'>, organisationIds: readonly string[], { name, text, values }: Statement): Promise<readonly Row[]> {
  checkOrganisations(organisationIds);
  try {
    const { rows } = await databases.system.query<Row>({ name, text: `with scope as materialized (select set_config('app.org_ids', $1, true) as organisations), ${text}`, values: [[...new Set(organisationIds)].join(','), ...values] });
    return rows;
  } catch (error) {
    throw classifyFailure(error, 'in a statement of its own');
  }
}
