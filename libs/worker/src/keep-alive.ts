import { type DueGrant, grantsDue, postponeKeepAlive } from '@trunkline/grants';
import type { Databases } from '@trunkline/storage';
import type { Integrations } from './integrations.js';
import type { WorkerLogger } from './ports.js';

const postponedMs = 60 * 60_000;

export interface KeepAliveParts {
  readonly databases: Databases;
  readonly integrations: Integrations;
  readonly providers: readonly string[];
  readonly everyMs: number;
  readonly logger: WorkerLogger | undefined;
}

/** Uses refresh tokens that no work has used for a day, so that the provider does not end them. Whichever worker comes first; the others find it done. */
export class KeepAlive {
  private timer: NodeJS.Timeout | undefined;
  private isAtIt = false;

  constructor(private readonly parts: KeepAliveParts) {}

  start(): void {
    this.timer = setInterval(() => void this.run(), this.parts.everyMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** What fails is due again a little later. */
  async run(): Promise<void> {
    if (this.isAtIt) return;
    this.isAtIt = true;
    try {
      const due = await grantsDue(this.parts.databases, this.parts.providers);
      for (const grant of due) await this.use(grant);
    } catch (error) {
      this.parts.logger?.warn({ err: error }, 'Grants that are due to be used could not be looked for');
    } finally {
      this.isAtIt = false;
    }
  }

  private async use(due: DueGrant): Promise<void> {
    const { organisationId, integrationId } = due;
    try {
      const found = await this.parts.integrations.get(organisationId, integrationId);
      // Without a grant in use: its administrator has chosen client credentials again.
      const answer = found.kind === 'found' ? await found.integration.grant?.keepAlive() : undefined;
      if (answer?.kind === 'token') return;
      if (answer !== undefined) this.parts.logger?.warn({ organisationId, integrationId, code: answer.failure.code }, 'A grant could not be kept alive');
      await postponeKeepAlive(this.parts.databases, due, postponedMs);
    } catch (error) {
      this.parts.logger?.warn({ err: error, organisationId, integrationId }, 'A grant could not be kept alive');
    }
  }
}
