import { Client } from 'pg';
import { showPresence } from './presence.js';

const channel = 'event_log';
const shortestGapMs = 10;

/** First soon: others wait a moment before they take a lost connection for a dead process. */
const reopenMs = [100, 250, 1_000] as const;

/**
 * The process as others see it: hints to and from them, and the lock that shows it to live. One connection of its own, outside every append's transaction: NOTIFY takes a lock that all commits would queue for.
 * A lost hint costs a poll interval, nothing else.
 */
export class WakeUps {
  private client: Client | null = null;
  private readonly topicIds = new Set<number>();
  private readonly groups = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private isListening = false;
  private failures = 0;

  constructor(
    private readonly connectionString: string | undefined,
    private readonly instanceId: string,
    private readonly heard: (hint: { readonly topicIds: readonly number[]; readonly groups: readonly string[] }) => void,
    /** The others may take this process for dead from now on; its members should learn at once whether they have. */
    private readonly lost: () => void,
  ) {}

  get isPresent(): boolean {
    return this.isListening;
  }

  async open(): Promise<void> {
    if (this.connectionString === undefined || this.isClosed || this.client !== null) return;
    const client = new Client({ connectionString: this.connectionString, keepAlive: true, application_name: 'trunkline-event-log' });
    this.client = client;
    client.on('error', () => this.reopenLater(client));
    client.on('end', () => this.reopenLater(client));
    client.on('notification', ({ payload }) => this.hear(payload ?? ''));
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
      await showPresence(client, this.instanceId);
      if (this.client !== client) return;
      this.isListening = true;
      this.failures = 0;
      this.send();
    } catch {
      // Polling carries on without hints until the connection is back.
      this.reopenLater(client);
    }
  }

  announceTopics(topicIds: Iterable<number>): void {
    for (const topicId of topicIds) this.topicIds.add(topicId);
    this.send();
  }

  announceGroup(group: string): void {
    this.groups.add(group);
    this.send();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.retryTimer);
    const client = this.client;
    this.client = null;
    if (client !== null) await client.end().catch(() => undefined);
  }

  /** At once, then not again for 10 ms. */
  private send(): void {
    if (this.timer !== undefined || this.isClosed || this.topicIds.size + this.groups.size === 0) return;
    const client = this.client;
    if (client === null || !this.isListening) return;
    const payload = JSON.stringify([this.instanceId, [...this.topicIds].slice(0, 500), [...this.groups].slice(0, 20)]);
    this.topicIds.clear();
    this.groups.clear();
    // The connection carries one statement at a time; what gathers meanwhile goes together. A hint that failed is made up for by the poll.
    const sent = client.query('SELECT pg_notify($1, $2)', [channel, payload]).catch(() => undefined);
    this.timer = setTimeout(() => {
      void sent.then(() => {
        this.timer = undefined;
        this.send();
      });
    }, shortestGapMs);
    this.timer.unref();
  }

  private hear(payload: string): void {
    const message = parsed(payload);
    if (!Array.isArray(message) || message[0] === this.instanceId || !Array.isArray(message[1]) || !Array.isArray(message[2])) return;
    this.heard({ topicIds: message[1].map(Number), groups: message[2].map(String) });
  }

  private reopenLater(client: Client): void {
    if (this.client !== client) return;
    const wasPresent = this.isListening;
    this.client = null;
    this.isListening = false;
    client.end().catch(() => undefined);
    if (this.isClosed) return;
    this.retryTimer = setTimeout(() => void this.open(), reopenMs[Math.min(this.failures++, reopenMs.length - 1)]);
    if (wasPresent) this.lost();
  }
}

/** Anybody who may log in may NOTIFY; what is thrown here would end the process. */
function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    // Not one of ours: no hint is lost.
    return null;
  }
}
