import { Client } from 'pg';

/** Reads as the database's owner, on a connection of its own each time: the server may have been killed meanwhile. */
export class LedgerClient {
  constructor(private readonly databaseUrl: string) {}

  async withClient<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const client = new Client({ connectionString: this.databaseUrl, connectionTimeoutMillis: 3_000, query_timeout: 600_000 });
    // A connection that breaks later rejects its query too.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  query<Row>(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.withClient(async (client) => (await client.query(sql, [...values])).rows as Row[]);
  }

  /** Row by row in pages of a cursor, so that a million of them need no memory. */
  async each<Row>(sql: string, take: (row: Row) => void): Promise<void> {
    await this.withClient(async (client) => {
      await client.query('begin');
      await client.query(`declare chaos_rows no scroll cursor for ${sql}`);
      for (;;) {
        const { rows } = await client.query('fetch 5000 from chaos_rows');
        for (const row of rows) take(row as Row);
        if (rows.length === 0) break;
      }
      await client.query('commit');
    });
  }
}
