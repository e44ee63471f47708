import { setTimeout as wait } from 'node:timers/promises';
import { TrunklineError, topics } from '@trunkline/contracts';
import type { EventLog } from '@trunkline/event-log';
import type { Dependency } from '@trunkline/service';

const retryMs = 1_000;

/** Creates the registry's topics as soon as the event log can be reached, and says from then on whether they are there: the process starts, and is not ready, while the log is away. */
export class TopicsReady implements Dependency {
  readonly name = 'topics';
  private reason: string | null = 'not created yet';
  private readonly stopping = new AbortController();
  private readonly working: Promise<void>;

  constructor(private readonly log: Pick<EventLog, 'ensureTopics' | 'topics'>) {
    this.working = this.ensure();
  }

  async check(): Promise<string | null> {
    if (this.reason !== null) return this.reason;
    const there = new Set((await this.log.topics()).map(({ topic }) => topic));
    const missing = topics.filter(({ name }) => !there.has(name)).map(({ name }) => name);
    return missing.length === 0 ? null : `missing: ${missing.join(', ')}`;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.working;
  }

  private async ensure(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.log.ensureTopics(topics);
        this.reason = null;
        return;
      } catch (error) {
        this.reason = error instanceof TrunklineError ? `${error.definition.title}: ${error.detail}` : 'the event log could not be asked';
      }
      await wait(retryMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }
}
