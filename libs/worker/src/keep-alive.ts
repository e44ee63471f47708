import { TrunklineError } from '@trunkline/contracts';
import { type DueGrant, grantsDue, postponeKeepAlive } from '@trunkline/grants';
import type { Databases } from '@trunkline/storage';
import { IdleEntries } from './idle-entries.js';
import type { Integrations } from './integrations.js';
import type { WorkerLogger } from './ports.js';

const postponedMs = 60 * 60_000;
/** What failed comes again every hour; where nothing came for this long, the grant is gone or good. */
const rememberedMs = 24 * postponedMs;

interface Told {
  readonly code: string;
  readonly atMs: number;
}

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
  private round: Promise<void> | null = null;
  private isStopped = false;
  private readonly told = new Map<string, Told>();
  private readonly longPast = new IdleEntries(this.told, ({ atMs }, nowMs) => nowMs - atMs > rememberedMs);

  constructor(private readonly parts: KeepAliveParts) {}

  start(): void {
    this.timer = setInterval(() => void this.run(), this.parts.everyMs);
    this.timer.unref();
  }

  /** Begins no other refresh and ends with the one under way: cut, it may have used up a refresh token and lose the next. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await this.round;
  }

  /** What fails, in whatever way, is due again an hour later, behind the others. */
  private run(): Promise<void> {
    this.round ??= this.useDue().finally(() => {
      this.round = null;
    });
    return this.round;
  }

  private async useDue(): Promise<void> {
    try {
      for (const grant of await grantsDue(this.parts.databases, this.parts.providers)) {
        if (this.isStopped) return;
        await this.use(grant);
      }
    } catch (error) {
      this.parts.logger?.warn({ err: error }, 'Grants that are due to be used could not be looked for');
    }
  }

  private async use(due: DueGrant): Promise<void> {
    const { organisationId, integrationId } = due;
    try {
      const found = await this.parts.integrations.get(organisationId, integrationId);
      // Without a grant in use: its administrator has chosen client credentials again.
      const answer = found.kind === 'found' ? await found.integration.grant?.keepAlive() : undefined;
      if (answer?.kind === 'token') {
        this.told.delete(nameOf(due));
        return;
      }
      if (answer !== undefined) this.tell(due, answer.failure.code, {}, 'A grant could not be kept alive');
    } catch (error) {
      // Settings that make no address, a seal that does not open: an hour from now may find them mended, and until then the others have their turn.
      this.tell(due, codeOf(error), { err: error }, 'A grant could not be kept alive');
    }
    await postponeKeepAlive(this.parts.databases, due, postponedMs).catch((error: unknown) => this.tell(due, codeOf(error), { err: error }, 'A grant could not be postponed'));
  }

  /** Once, not in each round, until it has been kept alive or something else is the matter. */
  private tell(due: DueGrant, code: string, facts: Readonly<Record<string, unknown>>, message: string): void {
    const atMs = performance.now();
    this.longPast.sweep(atMs);
    const said = this.told.get(nameOf(due))?.code;
    this.told.set(nameOf(due), { code, atMs });
    if (said !== code) this.parts.logger?.warn({ ...due, ...facts, code }, message);
  }
}

function nameOf({ organisationId, integrationId }: DueGrant): string {
  return `${organisationId}/${integrationId}`;
}

function codeOf(error: unknown): string {
  if (error instanceof TrunklineError) return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
