import { createAuditTrail } from '@trunkline/audit';
import { actionCatalogue } from '@trunkline/connectors';
import { providerFamilies } from '@trunkline/contracts';
import type { EventLog } from '@trunkline/event-log';
import { createIdentity, createPeople, createRateLimiter, OpenIdSignIn } from '@trunkline/identity';
import { createLedgerVerbs } from '@trunkline/ledger';
import { type Dependency, openEventLog, openOutbound, startOps } from '@trunkline/service';
import { type Databases, openDatabases, openVault } from '@trunkline/storage';
import { type Logger, type Metrics, createLogger, createMetrics, meteredEventLog } from '@trunkline/telemetry';
import { type MasterKeys, loadMasterKeys } from '@trunkline/vault';
import { auditing } from './audit/audit-listener.js';
import { PeopleTrail } from './audit/people-trail.js';
import { type GatewayConfig, openIdProviderOf } from './config.js';
import { ControlPlane } from './control/control-plane.js';
import { checkOver } from './control/integrations/check-connection.js';
import { Connections } from './edge/connections.js';
import { PortTaken } from './edge/errors.js';
import { createGatewayApplication } from './gateway.js';
import { offerSetup } from './people/offer-setup.js';
import { Upkeep } from './people/upkeep.js';
import { OldBacklog } from './publish/old-backlog.js';
import { TopicsReady } from './topics-ready.js';

/** The groups of sync-ledger and the connector workers, whose lag GET /api/topics shows. */
const ledgerGroup = 'ledger';
const consumerGroups = [ledgerGroup, ...providerFamilies.map((family) => `worker-${family}`)];
/** An append on Kafka gives up before the publisher's answer is due. */
const appendShare = 0.9;
const closeWithinMs = 10_000;
const backlogEveryMs = 30_000;
const sweepEveryMs = 600_000;
const offerRetryMs = 2_000;

/** What a process that runs several services shares between them; what is given stays the giver's to close. */
export interface GatewayParts {
  readonly databases?: Databases;
  readonly eventLog?: EventLog;
  readonly masterKeys?: MasterKeys;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** Where the one-time set-up token is shown while there is no owner; without it none is made. */
  readonly announce?: (text: string) => void;
  /** Connections of the control plane, beside the pools of `databases`. */
  readonly controlPlaneConnections?: number;
}

export interface RunningGateway {
  readonly url: string;
  readonly opsUrl: string;
  close(): Promise<void>;
}

/** Opens the ports at once, also while database or broker are away: `/readyz` names what is missing and publishers get 503. */
export async function startGateway(config: GatewayConfig, parts: GatewayParts = {}): Promise<RunningGateway> {
  const logger = parts.logger ?? createLogger({ app: 'gateway' });
  const metrics = parts.metrics ?? createMetrics({ processFigures: true });
  const databases = parts.databases ?? openDatabases(config.databaseUrl, { connectTimeoutMs: 2_000 });
  const vault = openVault(databases, parts.masterKeys ?? loadMasterKeys());
  const log = parts.eventLog ?? meteredEventLog(openEventLog('gateway', config, { databases, logger, appendTimeoutMs: Math.round(config.answerWithinMs * appendShare) }), metrics);
  const outbound = openOutbound(config, logger);
  const plane = new ControlPlane(config.databaseUrl, log, (error) => logger.warn({ err: error }, 'a change of configuration was not announced; others see it when their copy grows old'), parts.controlPlaneConnections);
  const topicsReady = new TopicsReady(log);
  const backlog = new OldBacklog({ log, group: ledgerGroup, nowMs: Date.now, alarm: (partition) => logger.error(partition, 'events are refused: the ledger has not read this partition for half of what the log keeps') });
  const audit = createAuditTrail(databases);
  const people = createPeople({ databases });
  const peopleTrail = new PeopleTrail(audit, people, (error) => logger.warn({ err: error }, 'a refused sign-in has no entry in the audit trail'));
  const provider = openIdProviderOf(config);
  const openId = provider === null ? null : new OpenIdSignIn(provider, databases, people.accounts, people.invitations);
  const limiter = createRateLimiter({ databases });
  const application = await createGatewayApplication(
    {
      databases,
      eventLog: log,
      access: { identity: createIdentity({ databases }), people, openId, limiter, onEffect: auditing(audit), publicUrl: config.publicUrl ?? null, strangerRequestsPerMinute: config.strangerRequestsPerMinute ?? null, trustedProxies: config.trustedProxies ?? [] },
      plane,
      vault,
      audit,
      peopleTrail,
      verbs: createLedgerVerbs({ databases, catalogue: actionCatalogue }),
      checkConnection: checkOver(outbound, databases, vault),
      outbound,
      consumerGroups,
      answerWithinMs: config.answerWithinMs,
      backlog,
    },
    (error, requestId) => logger.error({ err: error, requestId }, 'a request failed because of a mistake of ours'),
  );
  const connections = new Connections(application.getHttpServer());
  const endWatch = backlog.watch(backlogEveryMs);
  const upkeep = new Upkeep((error) => logger.warn({ err: error }, 'upkeep failed; it is tried again'));
  upkeep.every(sweepEveryMs, () => people.sweep());
  upkeep.every(sweepEveryMs, () => limiter.sweep());
  if (openId !== null) upkeep.every(sweepEveryMs, () => openId.sweep());
  const release = async (): Promise<void> => {
    endWatch();
    await upkeep.stop();
    connections.end(closeWithinMs);
    await application.close();
    await peopleTrail.settled();
    await topicsReady.stop();
    await plane.close();
    await outbound.close();
    if (parts.eventLog === undefined) await log.close();
    if (parts.databases === undefined) await databases.close();
  };
  try {
    const ops = await startOps({ host: config.opsHost, port: config.opsPort, dependencies: dependenciesOf(databases, log, topicsReady), metrics });
    await listen(application, config).catch(async (error: unknown) => {
      await ops.close();
      throw error;
    });
    const url = await application.getUrl();
    const { announce } = parts;
    if (announce !== undefined) upkeep.once(offerRetryMs, () => offerSetup(people, config.publicUrl ?? url, announce));
    return {
      url,
      opsUrl: ops.url,
      close: async () => {
        ops.drain();
        await release();
        await ops.close();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

function dependenciesOf(databases: Databases, log: EventLog, topicsReady: Dependency): readonly Dependency[] {
  return [
    {
      name: 'database',
      check: async () => {
        await databases.tenant.query('select 1');
        return null;
      },
    },
    {
      name: 'event log',
      check: async () => {
        await log.ping();
        return null;
      },
    },
    topicsReady,
  ];
}

async function listen(application: { listen(port: number, host: string): Promise<unknown> }, { port, host }: GatewayConfig): Promise<void> {
  try {
    await application.listen(port, host);
  } catch (error) {
    throw PortTaken.from(error, `listening on ${host}:${port}`);
  }
}
