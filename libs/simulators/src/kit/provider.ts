import type { AuthorizationServer } from './authorization-server.js';
import type { Call, Reply } from './call.js';
import type { SimulatorClock } from './clock.js';
import type { EffectKind, StoredRecord } from './journal-entry.js';
import type { Usage, VendorLimits } from './limits.js';
import type { RecordIndex, RecordStore } from './record-store.js';
import type { ProviderOptions, Settings } from './settings.js';
import type { Tokens } from './tokens.js';

/** One provider as data: what is asked where, what it answers, what it counts. */
export interface ProviderDefinition {
  readonly id: string;
  readonly title: string;
  readonly limits: VendorLimits;
  readonly indexes: readonly RecordIndex[];
  readonly options: ProviderOptions;
  readonly defaultSearchLagMs: number;
  readonly tokenPrefix?: string;
  readonly routes: readonly Route[];
  /** The path as the routes know it; for providers that live below a customer's own base path. */
  routedPath?(path: string): string;
  newRequestId(atMs: number): string;
  /** Where our reference stands in a record of this type; it identifies the effect in the journal. */
  effectReference(recordType: string, record: StoredRecord, body: unknown): string | undefined;
  /** The token sent with the call, if it is sent the way this provider wants it. */
  tokenOf(call: Call, settings: Settings): string | undefined;
  headers(call: Call, usage: Usage | undefined): Readonly<Record<string, string>>;
  readonly answers: ProviderAnswers;
}

/** The provider's own way to say no. */
export interface ProviderAnswers {
  unauthorised(call: Call, world: World): Reply;
  notFound(call: Call): Reply;
  otherMethod(call: Call, allowed: readonly string[]): Reply;
  limited(call: Call, refusedBy: Usage | { readonly concurrentCalls: number }): Reply;
  /** Any status in the provider's error shape, for faults. */
  failed(call: Call, status: number): Reply;
  loginPage(call: Call): Reply;
}

export interface Route {
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  readonly path: string;
  /** Needs no token and is in no limit: the token endpoint itself. */
  readonly isOpen?: boolean;
  handle(call: Call, world: World): Reply;
}

export interface Effect {
  readonly kind: EffectKind;
  readonly recordType: string;
  readonly recordId: string;
  readonly body: unknown;
  readonly record?: StoredRecord;
}

/** What a handler works with. Handlers are synchronous: a write is decided, applied and handed to the journal in one turn. */
export interface World {
  readonly store: RecordStore;
  readonly clock: SimulatorClock;
  readonly tokens: Tokens;
  readonly authorization: AuthorizationServer;
  readonly settings: Settings;
  /** Applies the effect and puts it into the journal; the answer waits for the file. */
  commit(call: Call, effect: Effect): void;
  /** What is left of the first limit after this call. */
  allowance(): { readonly Max: number; readonly Remaining: number };
  /** All effects of `work` or, if it answers `false`, none. */
  allOrNothing(work: () => boolean): boolean;
}
