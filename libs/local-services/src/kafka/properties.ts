import { LOOPBACK } from '../free-port.js';

/** The broker's settings: one process that is broker and controller, on the loopback address only. */
export interface BrokerSettings {
  readonly dataDir: string;
  readonly port: number;
  readonly controllerPort: number;
  /** What clients are told to connect to; another port than `port` puts a proxy between. */
  readonly advertisedPort: number;
}

export function serverProperties(settings: BrokerSettings): string {
  const { port, controllerPort, advertisedPort } = settings;
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@${LOOPBACK}:${controllerPort}`,
    'controller.listener.names=CONTROLLER',
    `listeners=PLAINTEXT://${LOOPBACK}:${port},CONTROLLER://${LOOPBACK}:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://${LOOPBACK}:${advertisedPort}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${escaped(`${settings.dataDir}/data`)}`,
    'num.partitions=1',
    'auto.create.topics.enable=false',
    'default.replication.factor=1',
    'min.insync.replicas=1',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=1',
    'group.initial.rebalance.delay.ms=0',
    // 6 s by default; tests of killed and frozen members wait for a session to end.
    'group.min.session.timeout.ms=1000',
    // Append time decides which chain version plans an event, so the broker's clock stamps every record.
    'log.message.timestamp.type=LogAppendTime',
    // The log cleaner takes its whole buffer (128 MB by default) at start.
    'log.cleaner.dedupe.buffer.size=2097152',
    // After kill -9 the broker may register again only when its dead session ended: 2.3 s instead of 11.5 s.
    'broker.session.timeout.ms=1000',
    'broker.heartbeat.interval.ms=250',
    '',
  ].join('\n');
}

/** Java properties read a backslash as an escape. */
function escaped(path: string): string {
  return path.replaceAll('\\', '\\\\');
}
