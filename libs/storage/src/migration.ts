import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * One migration as data: statements that run in order inside one transaction, so a process killed half-way leaves nothing behind.
 * `CREATE INDEX CONCURRENTLY` and the like cannot run in a transaction and are therefore not possible here.
 */
export interface Migration {
  /** Kebab case, unique, never changed once released. */
  readonly name: string;
  /** Epoch milliseconds (13 digits); migrations run in this order. */
  readonly timestamp: number;
  readonly statements: readonly string[];
}

/** The name under which TypeORM records a migration; it reads the order from the last 13 characters. */
export function recordedName(migration: Migration): string {
  return `${migration.name}-${migration.timestamp}`;
}

/** TypeORM takes classes; going back is a new migration, never a `down`. */
export function migrationClass(migration: Migration): new () => MigrationInterface {
  return class implements MigrationInterface {
    readonly name = recordedName(migration);

    async up(queries: QueryRunner): Promise<void> {
      for (const statement of migration.statements) await queries.query(statement);
    }

    async down(): Promise<void> {
      throw new Error(`${this.name} cannot be undone; write a new migration`);
    }
  };
}
