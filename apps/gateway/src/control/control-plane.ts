import { type ConfigChange, configChangeSchemaVersion, configChangesTopic, encodeConfigChange } from '@trunkline/contracts';
import type { EventLog } from '@trunkline/event-log';
import { inTenantRepositories, openDataSource } from '@trunkline/storage';
import type { DataSource, EntityManager } from 'typeorm';

/** The control plane's way to the database, opened when first needed, so that the gateway starts and accepts events while the database is away. */
export class ControlPlane {
  private source: Promise<DataSource> | null = null;

  constructor(
    private readonly databaseUrl: string,
    private readonly log: Pick<EventLog, 'append'>,
    private readonly reportLostHint: (error: unknown) => void,
    /** The usual one where it is not given. */
    private readonly poolSize?: number,
  ) {}

  async inOrganisation<Result>(organisationId: string, work: (manager: EntityManager) => Promise<Result>): Promise<Result> {
    return inTenantRepositories(await this.open(), organisationId, work);
  }

  /** Told after the commit; a hint, so a failure costs others the age of their copy and nothing else. */
  async announce(change: Omit<ConfigChange, 'schema'>): Promise<void> {
    try {
      await this.log.append(configChangesTopic, [encodeConfigChange({ schema: configChangeSchemaVersion, ...change })]);
    } catch (error) {
      this.reportLostHint(error);
    }
  }

  async close(): Promise<void> {
    const source = await this.source?.catch(() => null);
    await source?.destroy();
  }

  private open(): Promise<DataSource> {
    this.source ??= openDataSource(this.databaseUrl, { poolSize: this.poolSize }).catch((error: unknown) => {
      this.source = null;
      throw error;
    });
    return this.source;
  }
}
