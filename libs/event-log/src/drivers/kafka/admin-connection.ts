import type { Admin } from 'kafkajs';
import { LogClosed } from '../../errors.js';
import { SHORT_RETRY, createClient, within, type KafkaClient } from './client.js';
import { connectCluster, type Cluster } from './cluster.js';
import { brokerErrorType } from './lane.js';
import type { Settings } from './options.js';

interface Connection<Asked> {
  readonly client: KafkaClient;
  readonly ready: Promise<Asked>;
}

/** Connections for questions, opened at the first one. One that failed is replaced, so that a question after an outage is not answered by its remains. */
export class AdminConnection {
  private admin: Connection<Admin> | null = null;
  private reader: Connection<Cluster> | null = null;
  private isClosed = false;

  constructor(private readonly settings: Settings) {}

  ask<Answer>(what: string, question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    return this.guarded(what, async () => question(await (this.admin ??= this.openAdmin()).ready));
  }

  read<Answer>(what: string, question: (cluster: Cluster) => Promise<Answer>): Promise<Answer> {
    return this.guarded(what, async () => question(await (this.reader ??= connectCluster(this.settings)).ready));
  }

  close(): void {
    this.isClosed = true;
    this.drop();
  }

  private async guarded<Answer>(what: string, work: () => Promise<Answer>): Promise<Answer> {
    if (this.isClosed) throw LogClosed.because(what);
    try {
      return await within(this.settings.requestTimeoutMs, what, work());
    } catch (error) {
      // A refusal by the broker proves that the connection works.
      if (brokerErrorType(error) === null) this.drop();
      throw error;
    }
  }

  private drop(): void {
    this.admin?.client.destroy();
    this.reader?.client.destroy();
    this.admin = null;
    this.reader = null;
  }

  private openAdmin(): Connection<Admin> {
    const client = createClient(this.settings, 'admin', SHORT_RETRY);
    const admin = client.kafka.admin();
    return { client, ready: admin.connect().then(() => admin) };
  }
}
