import { Client } from 'pg';
import { say } from '../client/output.js';

export interface Filled {
  readonly rows: Readonly<Record<string, number>>;
  readonly megabytes: number;
  readonly seconds: number;
}

const runsPerStatement = 50_000;
/** Calls are kept for so long (the platform's default), so older runs would have none. */
const keptDays = 14;
/** Named after places, not runs. */
const turnsTable = 'subject_turns';
/** Nothing filled in looks as if this measurement had made it. */
const youngestHours = 2;

/** How a column of a copied row differs from the row it is copied from; everything else, payloads above all, stays as the platform wrote it. */
const rules: readonly { readonly applies: (column: string, type: string) => boolean; readonly value: (column: string) => string }[] = [
  { applies: (column) => column === 'run_id' || column === 'root_run_id', value: () => 'f.run_id' },
  { applies: (column, type) => column === 'attempt_id' && type === 'uuid', value: () => 'gen_random_uuid()' },
  { applies: (column) => column === 'event_id', value: (column) => `t.${column} || '-' || f.n` },
  { applies: (column) => column === 'subject', value: (column) => `t.${column} || ' ' || f.n` },
  { applies: (column) => column === 'digest' || column === 'subject_hash', value: (column) => `left(encode(sha256((t.${column} || f.n)::bytea), 'hex'), length(t.${column}))` },
  { applies: (_, type) => type === 'timestamp with time zone', value: (column) => `t.${column} - f.age` },
];

/**
 * Fills the ledger up to so many finished runs: copies of runs the platform has really executed, with every row each of them left behind,
 * under ids and hashes of their own, spread over the days for which calls are kept. Done as the database's owner, then vacuumed and analysed as autovacuum would.
 */
export class LedgerFill {
  private filled = 0;

  private constructor(
    private readonly client: Client,
    private readonly tables: readonly string[],
  ) {}

  static async open(databaseUrl: string): Promise<LedgerFill> {
    const client = new Client({ connectionString: databaseUrl, application_name: 'trunkline bench fill' });
    // A server that goes away rejects the statement under way; the event alone would end the process.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('set synchronous_commit = off');
    await addPastPartitions(client);
    const { rows } = await client.query<{ table_name: string }>(
      `select c.relname as table_name from pg_attribute a join pg_class c on c.oid = a.attrelid where a.attname = 'run_id' and c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace order by 1`,
    );
    const tables = [...rows.map(({ table_name: name }) => name), turnsTable];
    await takeTemplates(client, tables);
    return new LedgerFill(client, tables);
  }

  async upTo(finished: number): Promise<Filled> {
    const start = performance.now();
    const rows: Record<string, number> = {};
    while (this.filled < finished) {
      const next = Math.min(finished, this.filled + runsPerStatement);
      for (const [table, count] of await this.copy(this.filled + 1, next)) rows[table] = (rows[table] ?? 0) + count;
      this.filled = next;
      if (finished > runsPerStatement) say(`${next} of ${finished} finished runs filled in`);
    }
    for (const table of this.tables) await this.client.query(`vacuum (analyze) ${table}`);
    await this.client.query('checkpoint');
    const size = await this.client.query<{ bytes: string }>(`select sum(pg_total_relation_size(c.oid)) as bytes from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace`);
    return { rows, megabytes: Math.round(Number(size.rows[0]?.bytes ?? 0) / 1_000_000), seconds: Math.round((performance.now() - start) / 100) / 10 };
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  private async copy(from: number, to: number): Promise<readonly (readonly [string, number])[]> {
    const counts: [string, number][] = [];
    await this.client.query('drop table if exists fill');
    await this.client.query(
      `create temp table fill as select n, gen_random_uuid() as run_id, (select count(*) from templates) as templates, make_interval(hours => ${youngestHours}) + random() * make_interval(days => ${keptDays - 1}) as age from generate_series($1::int, $2::int) n`.replace('$1', String(from)).replace('$2', String(to)),
    );
    await this.client.query('analyze fill');
    for (const table of this.tables) {
      const values = await this.columns(table);
      const { rowCount } = await this.client.query(`insert into ${table} (${values.map(([column]) => column).join(', ')}) select ${values.map(([, value]) => value).join(', ')} from fill f join template_${table} t on t.template = f.n % f.templates`);
      if ((rowCount ?? 0) > 0) counts.push([table, rowCount ?? 0]);
    }
    return counts;
  }

  private async columns(table: string): Promise<readonly (readonly [string, string])[]> {
    const { rows } = await this.client.query<{ name: string; type: string }>(`select attname as name, format_type(atttypid, null) as type from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`, [table]);
    return rows.map(({ name, type }) => [name, (rules.find(({ applies }) => applies(name, type))?.value ?? ((column) => `t.${column}`))(name)]);
  }
}

/** Up to twenty executed runs of each organisation, and every row that each of them left behind. */
async function takeTemplates(client: Client, tables: readonly string[]): Promise<void> {
  await client.query(`create temp table templates as select row_number() over () - 1 as template, organisation_id, run_id from (select organisation_id, run_id, row_number() over (partition by organisation_id order by run_id) as rank from runs where state = 'done') ranked where rank <= 20`);
  for (const table of tables) {
    // One place a run: the row that decided about its order stays as long as the run.
    const rows = table === turnsTable ? `join lateral (select * from ${table} s where s.organisation_id = p.organisation_id limit 1) t on true` : `join ${table} t on t.organisation_id = p.organisation_id and t.run_id = p.run_id`;
    await client.query(`create temp table template_${table} as select p.template, t.* from templates p ${rows}`);
    await client.query(`analyze template_${table}`);
  }
}

/** The days before this platform was made, which on one that has run for long would be there. */
async function addPastPartitions(client: Client): Promise<void> {
  await client.query(`do $$
    declare day date;
    begin
      for back in 0 .. ${keptDays} loop
        day := (clock_timestamp() at time zone 'utc')::date - back;
        if to_regclass('attempts_' || to_char(day, 'YYYYMMDD')) is null then
          execute format('create table %I partition of attempts for values from (%L) to (%L)', 'attempts_' || to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
        end if;
      end loop;
    end $$`);
}
