import type { Admin } from 'kafkajs';
import { LogClosed } from '../../errors.js';
import { brokerErrorType } from './broker-error.js';
import { SHORT_RETRY, createClient, type KafkaClient } from './client.js';
import { connectCluster, type Cluster } from './cluster.js';
import type { Settings } from './options.js';
import { within } from './within.js';

interface Connection<Asked> {
  readonly client: KafkaClient;
  readonly ready: Promise<Asked>;
  /** Questions that wait for an answer on it. */
  inHand: number;
  isRetired: boolean;
}

/**
 * Connections for questions, opened at the first one. One on which a question failed is replaced for the next, so that a question after an outage is not answered by its remains;
 * it is closed when the questions already on it have ended, so that one that fails again and again cannot cut off the others.
 */
export class AdminConnection {
  private admin: Connection<Admin> | null = null;
  private reader: Connection<Cluster> | null = null;
  private isClosed = false;

  constructor(private readonly settings: Settings) {}

  ask<Answer>(what: string, question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    return this.guarded(what, () => (this.admin ??= this.openAdmin()), question);
  }

  read<Answer>(what: string, question: (cluster: Cluster) => Promise<Answer>): Promise<Answer> {
    return this.guarded(what, () => (this.reader ??= { ...connectCluster(this.settings), inHand: 0, isRetired: false }), question);
  }

  close(): void {
    this.isClosed = true;
    this.admin?.client.destroy();
    this.reader?.client.destroy();
    this.admin = null;
    this.reader = null;
  }

  private async guarded<Asked, Answer>(what: string, open: () => Connection<Asked>, question: (asked: Asked) => Promise<Answer>): Promise<Answer> {
    if (this.isClosed) throw LogClosed.because(what);
    const connection = open();
    connection.inHand += 1;
    try {
      return await within(this.settings.requestTimeoutMs, what, connection.ready.then(question));
    } catch (error) {
      // A refusal by the broker proves that the connection works.
      if (brokerErrorType(error) === null) this.retire(connection);
      throw error;
    } finally {
      connection.inHand -= 1;
      if (connection.isRetired && connection.inHand === 0) connection.client.destroy();
    }
  }

  private retire<Asked>(connection: Connection<Asked>): void {
    connection.isRetired = true;
    const retired: object = connection;
    if (this.admin === retired) this.admin = null;
    if (this.reader === retired) this.reader = null;
  }

  private openAdmin(): Connection<Admin> {
    const client = createClient(this.settings, 'admin', SHORT_RETRY);
    const admin = client.kafka.admin();
    return { client, ready: admin.connect().then(() => admin), inHand: 0, isRetired: false };
  }
}
