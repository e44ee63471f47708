import { resolve } from 'node:path';
import { startFixtureServer, SimulatorControl, type FixtureServer } from '@trunkline/connectors/testing';
import { commandTopicOf, decodeCommand, decodeEvent, decodeResult, eventTopics, resultsTopic, runIdOf, topics } from '@trunkline/contracts';
import { createEventLog, createKafkaDriver, createPostgresDriver, type EventLog, type StoredRecord } from '@trunkline/event-log';
import { markOf, type FailpointName } from '@trunkline/failpoints';
import { freePort } from '@trunkline/local-services';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import type { Vault } from '@trunkline/vault';
import { newMasterKeys, vaultOf } from '../support/council.js';
import { ServiceProcess } from '../support/service-process.js';
import { until } from '../support/until.js';
import { patienceMs } from './patience.js';
import { Stage } from './stage.js';

export type Service = 'gateway' | 'ledger' | 'worker';
const services = ['gateway', 'ledger', 'worker'] as const satisfies readonly Service[];
const commandsTopic = commandTopicOf('crm');
const groups = { ledger: 'ledger', worker: 'worker-crm' } as const;

export interface PlantOptions {
  /** Not given: the event log lives in PostgreSQL. */
  readonly kafkaBrokers?: string;
}

/** The platform as one process per service, on a real database, with a provider that journals its effects; any of the processes can be made to die at a point. */
export class Plant {
  private readonly seen: StoredRecord[] = [];
  private readonly processes = new Map<Service, ServiceProcess>();
  private readonly environments = new Map<Service, Readonly<Record<string, string>>>();

  private constructor(
    readonly database: TestDatabase,
    readonly server: FixtureServer,
    private readonly log: EventLog,
    private readonly vault: Vault,
    private readonly gatewayUrl: string,
  ) {}

  static async start({ kafkaBrokers = '' }: PlantOptions = {}): Promise<Plant> {
    const [database, server, port] = [await openTestDatabase(), await startFixtureServer(), await freePort()];
    const log = createEventLog(kafkaBrokers === '' ? createPostgresDriver({ pool: database.databases.log, listenConnectionString: database.url }) : createKafkaDriver({ brokers: kafkaBrokers.split(',') }));
    const masterKeys = newMasterKeys();
    const plant = new Plant(database, server, log, vaultOf(database.databases, masterKeys), `http://127.0.0.1:${port}`);
    await log.ensureTopics(topics);
    await plant.watch();
    for (const service of services) {
      const opsPort = String(await freePort());
      const environment = { DATABASE_URL: database.url, KAFKA_BROKERS: kafkaBrokers, TRUNKLINE_MASTER_KEYS: masterKeys, PORT: String(port), OPS_PORT: opsPort };
      plant.processes.set(service, new ServiceProcess(service, [resolve(__dirname, 'process.ts'), service], environment, `http://127.0.0.1:${opsPort}/readyz`));
    }
    await Promise.all(services.map((service) => plant.replace(service)));
    return plant;
  }

  /** Nothing of an earlier row leads the process of the next one to its point: all is read and sent, nothing is due, and the sweeper has nowhere to come back to. */
  async untilAtRest(): Promise<void> {
    const { system } = this.database.databases;
    await until('a plant at rest', async () => {
      const lags = (await Promise.all(Object.values(groups).map((group) => this.log.lag(group)))).flat();
      const { rows } = await system.query<{ open: number }>('select (select count(*) from due_work)::int + (select count(*) from dispatches where sent_at is null)::int as open');
      return lags.every(({ lag }) => lag <= 0n) && rows[0]?.open === 0;
    }, 2 * patienceMs, 50);
    await system.query('delete from dispatches');
  }

  stage(): Promise<Stage> {
    const { databases, url: databaseUrl } = this.database;
    return Stage.prepare({ databases, databaseUrl, gatewayUrl: this.gatewayUrl, vault: this.vault, server: this.server });
  }

  get provider(): SimulatorControl {
    return new SimulatorControl(this.server.url);
  }

  process(service: Service): ServiceProcess {
    const found = this.processes.get(service);
    if (found === undefined) throw new Error(`no ${service}`);
    return found;
  }

  /** Stops what lives under this name, in good order, and starts its next life. */
  async replace(service: Service, environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const running = this.process(service);
    if (!running.hasEnded && JSON.stringify(this.environments.get(service)) === JSON.stringify(environment)) return;
    await running.stop();
    this.environments.set(service, environment);
    running.start(environment);
    await running.untilReady(2 * patienceMs);
  }

  async stop(service: Service): Promise<void> {
    await this.process(service).stop();
  }

  /** Proof that it died there and of nothing else: by SIGKILL, with the mark of the point as its last words. */
  async untilKilledAt(service: Service, point: FailpointName, nth: number): Promise<void> {
    const running = this.process(service);
    await until(`the death of the ${service} at ${point}`, () => running.hasEnded, patienceMs, 5).catch((error: unknown) => {
      throw new Error(`${String(error)}: it was never reached\n${running.output.slice(-1500)}`);
    });
    await until(`the mark of ${point}`, () => running.output.endsWith(markOf(point, nth)), patienceMs, 5).catch(() => undefined);
    expect({ endedBy: running.endedBy, lastWords: running.output.slice(-markOf(point, nth).length) }).toEqual({ endedBy: 'SIGKILL', lastWords: markOf(point, nth) });
  }

  /** P3: every record whose offset is committed is taken care of by something durable. */
  async passedTooEarly(stage: Stage): Promise<readonly string[]> {
    const [ledger, worker] = await Promise.all([this.committed(groups.ledger), this.committed(groups.worker)]);
    await this.untilWatchedToTheEnd();
    const isPassed = (record: StoredRecord, committed: ReadonlyMap<string, bigint>): boolean => record.offset < (committed.get(`${record.topic}/${record.partition}`) ?? 0n);
    const keys = async (table: string): Promise<ReadonlySet<string>> => new Set((await stage.reader.query<{ key: string }>(`select run_id || '/' || step_id || '/' || dispatch as key from ${table} where organisation_id = $1`, [stage.organisationId])).map(({ key }) => key));
    const [attempts, intents, handovers] = await Promise.all(['attempts', 'intents', 'handovers'].map(keys));
    const runs = new Set((await stage.runs()).map(({ runId }) => runId));
    const answered = new Set(this.resultsSeen(stage).map(nameOf));
    const passedBy = (topic: string, committed: ReadonlyMap<string, bigint>): readonly StoredRecord[] => this.seen.filter((record) => record.topic === topic && isPassed(record, committed));
    return [
      ...eventTopics.flatMap((topic) => passedBy(topic, ledger)).map((record) => decodeEvent(record)).filter((event) => event.organisationId === stage.organisationId).map((event) => runIdOf(event.organisationId, event.source, event.id)).filter((runId) => !runs.has(runId)).map((runId) => `event of run ${runId}`),
      ...passedBy(resultsTopic, ledger).map(({ value }) => decodeResult(value)).filter((result) => result.organisationId === stage.organisationId).map(nameOf).filter((name) => attempts?.has(name) !== true).map((name) => `result ${name}`),
      ...passedBy(commandsTopic, worker).map((record) => decodeCommand(record)).filter((command) => command.organisationId === stage.organisationId).map(nameOf).filter((name) => !answered.has(name) && intents?.has(name) !== true && handovers?.has(name) !== true).map((name) => `command ${name}`),
    ];
  }

  /** Names of the commands that lie in the log for this organisation. */
  async commandsOf(stage: Stage): Promise<readonly string[]> {
    await this.untilWatchedToTheEnd();
    return this.seen.filter(({ topic }) => topic === commandsTopic).map((record) => decodeCommand(record)).filter(({ organisationId }) => organisationId === stage.organisationId).map(nameOf);
  }

  async resultsOf(stage: Stage): Promise<readonly string[]> {
    await this.untilWatchedToTheEnd();
    return this.resultsSeen(stage).map(nameOf);
  }

  private resultsSeen(stage: Stage) {
    return this.seen.filter(({ topic }) => topic === resultsTopic).map(({ value }) => decodeResult(value)).filter(({ organisationId }) => organisationId === stage.organisationId);
  }

  private async committed(group: string): Promise<ReadonlyMap<string, bigint>> {
    return new Map((await this.log.lag(group)).map(({ topic, partition, committed }) => [`${topic}/${partition}`, committed]));
  }

  private async watch(): Promise<void> {
    const handleBatch = (records: readonly StoredRecord[]) => {
      this.seen.push(...records);
      return Promise.resolve(records.map(() => ({ kind: 'done' as const })));
    };
    await this.log.consume({ mode: 'batch', group: 'watcher', topics: [...eventTopics, resultsTopic, commandsTopic], maxRecords: 500, handleBatch });
  }

  private async untilWatchedToTheEnd(): Promise<void> {
    await until('the watcher reading everything', async () => (await this.log.lag('watcher')).every(({ lag }) => lag <= 0n), patienceMs, 20);
  }

  async end(): Promise<void> {
    await Promise.allSettled([...this.processes.values()].map((running) => running.stop()));
    await this.log.close();
    await this.server.stop();
    await this.database.close();
  }
}

function nameOf({ runId, stepId, dispatch }: { readonly runId: string; readonly stepId: string; readonly dispatch: number }): string {
  return `${runId}/${stepId}/${dispatch}`;
}
