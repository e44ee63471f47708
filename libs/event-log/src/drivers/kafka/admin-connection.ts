import type { Admin } from 'kafkajs';
import { LogUnavailable } from '../../errors.js';
import { createClient, within, type KafkaClient } from './client.js';
import { connectCluster, type Cluster, type ConnectedCluster } from './cluster.js';
import type { Settings } from './options.js';

/** Connections for questions, opened at the first one. One that failed is replaced, so that a question after an outage is not answered by its remains. */
export class AdminConnection {
  private admin: Promise<{ readonly client: KafkaClient; readonly admin: Admin }> | null = null;
  private reader: Promise<ConnectedCluster> | null = null;
  private isClosed = false;

  constructor(private readonly settings: Settings) {}

  ask<Answer>(what: string, question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    return this.guarded(what, async () => question((await (this.admin ??= this.openAdmin())).admin));
  }

  read<Answer>(what: string, question: (cluster: Cluster) => Promise<Answer>): Promise<Answer> {
    return this.guarded(what, async () => question((await (this.reader ??= connectCluster(this.settings))).cluster));
  }

  close(): void {
    this.isClosed = true;
    this.drop();
  }

  private async guarded<Answer>(what: string, work: () => Promise<Answer>): Promise<Answer> {
    if (this.isClosed) throw LogUnavailable.because(`${what}: the log is closed`);
    try {
      return await within(this.settings.requestTimeoutMs, what, work());
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  private drop(): void {
    for (const connection of [this.admin, this.reader]) connection?.then(({ client }) => client.destroy(), () => undefined);
    this.admin = null;
    this.reader = null;
  }

  private async openAdmin(): Promise<{ readonly client: KafkaClient; readonly admin: Admin }> {
    const client = createClient(this.settings, 'admin');
    const admin = client.kafka.admin();
    await admin.connect();
    return { client, admin };
  }
}
