import type { DataSource, EntityManager } from 'typeorm';
import { connectionAs } from '../databases.js';
import { classifyFailure } from '../failure.js';
import { checkOrganisations } from '../transaction.js';
import { controlPlaneEntities } from './entities.js';

export interface DataSourceOptions {
  readonly poolSize?: number;
  readonly connectTimeoutMs?: number;
}

/** TypeORM on the control plane, as `app_tenant`; its repositories show nothing outside `inTenantRepositories`. */
export async function openDataSource(databaseUrl: string, { poolSize = 5, connectTimeoutMs = 5_000 }: DataSourceOptions = {}): Promise<DataSource> {
  const { DataSource } = await import('typeorm');
  const { connectionString, ...extra } = connectionAs('app_tenant', databaseUrl);
  const source = new DataSource({
    type: 'postgres',
    url: connectionString,
    extra,
    poolSize,
    connectTimeoutMS: connectTimeoutMs,
    entities: controlPlaneEntities,
    synchronize: false,
    installExtensions: false,
  });
  try {
    return await source.initialize();
  } catch (error) {
    throw classifyFailure(error, 'opening the control plane');
  }
}

/** One transaction that sees one organisation, with repositories: `manager.getRepository(integrationEntity)`. */
export async function inTenantRepositories<T>(source: DataSource, organisationId: string, work: (manager: EntityManager) => Promise<T>): Promise<T> {
  checkOrganisations([organisationId]);
  try {
    return await source.transaction(async (manager) => {
      await manager.query('select set_config($1, $2, true)', ['app.org_id', organisationId]);
      return work(manager);
    });
  } catch (error) {
    throw classifyFailure(error, 'in a control plane transaction');
  }
}
