/** Errors are part of the interface: a registered code, a class that decides what happens next, and a way out. */
export type ErrorClass =
  /** Wait and repeat; no attempt is used up. */
  | 'throttled'
  /** Repeat with back-off. */
  | 'transient'
  /** Credentials; the integration's gate closes until somebody reconnects. */
  | 'auth'
  /** The record itself is wrong; repeating cannot help. */
  | 'data'
  | 'conflict'
  /** Ours: a state that should not exist. */
  | 'bug'
  /** The person or program calling made a mistake. */
  | 'usage'
  | 'not-found'
  /** A part we depend on (database, broker, provider) is away. */
  | 'unavailable';

export interface ErrorDefinition {
  readonly code: string;
  readonly class: ErrorClass;
  readonly http: number;
  readonly title: string;
  /** What to do next, in words for the person who sees it. */
  readonly fix: string;
}

export interface RegisteredError extends ErrorDefinition {
  /** `detail` names the act and the thing ("refreshing token of integration …"), never a secret. */
  because(detail: string, facts?: Readonly<Record<string, unknown>>): TrunklineError;
  from(cause: unknown, detail: string, facts?: Readonly<Record<string, unknown>>): TrunklineError;
  matches(error: unknown): error is TrunklineError;
}

export class TrunklineError extends Error {
  override readonly name = 'TrunklineError';
  constructor(
    readonly definition: ErrorDefinition,
    readonly detail: string,
    readonly facts: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(`${definition.title}: ${detail}`, cause === undefined ? undefined : { cause });
  }

  get code(): string {
    return this.definition.code;
  }
}

const registered = new Set<string>();

/** Registers an error code once; a second registration of the same code is a mistake of ours and throws. */
export function defineError(code: string, rest: Omit<ErrorDefinition, 'code'>): RegisteredError {
  if (registered.has(code)) throw new Error(`error code ${code} is registered twice`);
  registered.add(code);
  const definition: ErrorDefinition = { code, ...rest };
  const error: RegisteredError = {
    ...definition,
    because: (detail, facts) => new TrunklineError(definition, detail, facts),
    from: (cause, detail, facts) => new TrunklineError(definition, detail, facts, cause),
    matches: (candidate): candidate is TrunklineError => candidate instanceof TrunklineError && candidate.code === code,
  };
  return error;
}
