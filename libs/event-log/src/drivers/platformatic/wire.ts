import { Admin, kGetApi, kGetBootstrapConnection, kGetConnection, type Connection, type findCoordinatorV4, type metadataV12 } from '@platformatic/kafka';
import { brokerErrorType } from '../kafka/broker-error.js';
import type { Settings } from '../kafka/options.js';

export interface Node {
  readonly host: string;
  readonly port: number;
}

interface Topology {
  readonly nodes: ReadonlyMap<number, Node>;
  readonly topics: ReadonlyMap<string, TopicLayout>;
}

export interface TopicLayout {
  readonly id: string;
  /** Node of each partition's leader; −1 while it has none. */
  readonly leaders: readonly number[];
}

/** Kafka protocol, FindCoordinator key type. */
const GROUP = 0;
const CONNECT_TIMEOUT_MS = 3_000;

/**
 * Connections to the cluster for one purpose, ended at once by `destroy`. Each call is one request in the library's encoding: what may be repeated, and under which generation
 * or sequence number, is decided here, since the library's own consumer and producer repeat on their own terms (README).
 */
export class Wire {
  readonly admin: Admin;
  isDestroyed = false;
  private known: Topology | null = null;
  private readonly coordinators = new Map<string, Node>();
  /** Of calls under way; they end with the wire, whatever the library still waits for. */
  private readonly endings = new Set<(error: Error) => void>();

  constructor(settings: Settings, role: string, { requestTimeoutMs = settings.requestTimeoutMs, retries = 0 } = {}) {
    this.admin = new Admin({
      clientId: `${settings.clientId}-${role}`,
      bootstrapBrokers: [...settings.brokers],
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      timeout: requestTimeoutMs,
      retries,
      retryDelay: (_client, _operation, attempt) => retryDelayMs(attempt),
      autocreateTopics: false,
      ...(settings.tls ? { tls: {}, tlsServerName: true } : {}),
      ...(settings.sasl === undefined ? {} : { sasl: { ...settings.sasl, mechanism: saslNames[settings.sasl.mechanism] } }),
    });
    // One listener per operation that waits for its next attempt.
    this.admin.setMaxListeners(0);
    // The library listens to a connection's first error only; a second one would end the process.
    this.admin.connections.on('connecting', ({ connection }) => connection.on('error', () => undefined));
  }

  async call<Request extends unknown[], Response>(name: string, node: Node, ...request: Request): Promise<Response> {
    return this.bounded(async () => {
      const connection = await called<Connection>((callback) => this.admin[kGetConnection](node, callback));
      return this.send<Request, Response>(name, connection, request);
    });
  }

  /** Those of the topics that exist. Remembered, unless asked for `fresh`, until a call fails in a way that more recent knowledge may mend. */
  async layoutOf(topics: readonly string[], { fresh = false } = {}): Promise<ReadonlyMap<string, TopicLayout>> {
    const known = this.known?.topics;
    if (!fresh && known !== undefined && topics.every((topic) => known.has(topic))) return known;
    const { topics: answered } = await this.look([...new Set([...(known?.keys() ?? []), ...topics])]);
    return answered;
  }

  async node(id: number): Promise<Node> {
    const node = this.known?.nodes.get(id) ?? (await this.look([...(this.known?.topics.keys() ?? [])])).nodes.get(id);
    if (node === undefined) throw new Error(`broker ${id} is not in the cluster at the moment`);
    return node;
  }

  async anyNode(): Promise<Node> {
    const [node] = (this.known ?? (await this.look([]))).nodes.values();
    if (node === undefined) throw new Error('the cluster names no broker');
    return node;
  }

  async coordinatorOf(group: string): Promise<Node> {
    const known = this.coordinators.get(group);
    if (known !== undefined) return known;
    const { coordinators } = await this.bootstrapped<[number, string[]], findCoordinatorV4.FindCoordinatorResponse>('FindCoordinator', [GROUP, [group]]);
    const [coordinator] = coordinators;
    if (coordinator === undefined) throw new Error(`no broker coordinates ${group}`);
    this.coordinators.set(group, coordinator);
    return coordinator;
  }

  /** After a failure that need not come again elsewhere. */
  forget(): void {
    this.known = null;
    this.coordinators.clear();
  }

  /** Every connection is replaced at the next call: for one that does not answer. */
  reconnect(): void {
    this.forget();
    for (const [, connection] of this.admin.connections) connection.socket?.destroy();
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    const ended = new Error('this connection has ended');
    for (const end of this.endings) end(ended);
    this.endings.clear();
    for (const [, connection] of this.admin.connections) connection.socket?.destroy();
    this.admin.close().catch(() => undefined);
  }

  private async look(topics: readonly string[]): Promise<Topology> {
    const response = await this.bootstrapped<[readonly string[], boolean, boolean], metadataV12.MetadataResponse>('Metadata', [topics, false, false]).catch((error: unknown) => partialAnswer(error));
    this.known = {
      nodes: new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])),
      topics: new Map(response.topics.filter(({ errorCode, name }) => errorCode !== UNKNOWN_TOPIC && name !== null).map(({ name, topicId, partitions }) => [name ?? '', { id: topicId, leaders: partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex).map(({ leaderId }) => leaderId) }])),
    };
    return this.known;
  }

  private bootstrapped<Request extends unknown[], Response>(name: string, request: Request): Promise<Response> {
    return this.bounded(async () => {
      const connection = await called<Connection>((callback) => this.admin[kGetBootstrapConnection](callback));
      return this.send<Request, Response>(name, connection, request);
    });
  }

  private async send<Request extends unknown[], Response>(name: string, connection: Connection, request: Request): Promise<Response> {
    const api = await called<{ async(connection: Connection, ...request: Request): Promise<Response> }>((callback) => this.admin[kGetApi]<Request, Response>(name, callback));
    return api.async(connection, ...request);
  }

  private bounded<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.isDestroyed) return reject(new Error('this connection has ended'));
      this.endings.add(reject);
      work()
        .finally(() => this.endings.delete(reject))
        .then(resolve, reject);
    });
  }
}

const saslNames = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const;

/** Kafka protocol, error codes. */
const UNKNOWN_TOPIC = 3;

/** The library rejects as soon as one topic has an error; what it knows of the others lies in the error. */
function partialAnswer(error: unknown): metadataV12.MetadataResponse {
  if (brokerErrorType(error) !== null && error instanceof Error && 'response' in error && error.response !== undefined) return error.response as metadataV12.MetadataResponse;
  throw error;
}

function called<Answer>(start: (callback: (error: Error | null, answer?: Answer) => void) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    start((error, answer) => (error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error('the library answered with nothing'))));
  });
}

export function retryDelayMs(attempt: number): number {
  return Math.min(400, 50 * 1.6 ** Math.min(attempt, 10)) * (0.8 + Math.random() * 0.4);
}
