/** What an answer that is no success means, as a list: the first rule that fits decides. */
export interface ErrorRule {
  readonly status: number | 'html';
  /** The provider's own code for it, exact or as a pattern over code and message. */
  readonly code?: string | RegExp;
  readonly treatment: Treatment;
}

export type Treatment =
  | { readonly kind: 'throttled'; readonly until: readonly WaitHint[]; readonly otherwiseMs: number }
  /** `refresh`: a new token is worth one try. */
  | { readonly kind: 'auth'; readonly refresh: boolean }
  | { readonly kind: 'data' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'transient' }
  /** For a key that stands for another body: something exists, and it is not ours to say what. */
  | { readonly kind: 'unknown' };

/** Where an answer says how long to wait. */
export type WaitHint =
  /** RFC 9110 §10.2.3: seconds or an HTTP date. */
  | { readonly in: 'retry-after' }
  | { readonly in: 'header'; readonly name: string; readonly unit: 'seconds' | 'ms' | 'epoch-seconds' }
  /** The first group of the pattern, in the answer's text, is a number of seconds. */
  | { readonly in: 'text'; readonly pattern: RegExp };

export const retryAfter: WaitHint = { in: 'retry-after' };
export const secondsIn = (name: string): WaitHint => ({ in: 'header', name, unit: 'seconds' });
export const msIn = (name: string): WaitHint => ({ in: 'header', name, unit: 'ms' });
export const epochSecondsIn = (name: string): WaitHint => ({ in: 'header', name, unit: 'epoch-seconds' });
export const secondsInText = (pattern: RegExp): WaitHint => ({ in: 'text', pattern });

/** `on(403, 'REQUEST_LIMIT_EXCEEDED').throttled({ otherwiseMs: 900_000 })` */
export function on(status: number | 'html', code?: string | RegExp) {
  const rule = (treatment: Treatment): ErrorRule => ({ status, treatment, ...(code === undefined ? {} : { code }) });
  return {
    throttled: ({ until = [retryAfter], otherwiseMs = 30_000 }: { readonly until?: readonly WaitHint[]; readonly otherwiseMs?: number } = {}): ErrorRule => rule({ kind: 'throttled', until, otherwiseMs }),
    auth: ({ refresh = true }: { readonly refresh?: boolean } = {}): ErrorRule => rule({ kind: 'auth', refresh }),
    data: (): ErrorRule => rule({ kind: 'data' }),
    conflict: (): ErrorRule => rule({ kind: 'conflict' }),
    transient: (): ErrorRule => rule({ kind: 'transient' }),
    unknown: (): ErrorRule => rule({ kind: 'unknown' }),
  };
}

/** What HTTP itself says (RFC 9110 §15.5, RFC 6585 §4), where a provider has no rule of its own. */
export function usualTreatment(status: number): Treatment {
  if (status === 429) return { kind: 'throttled', until: [retryAfter], otherwiseMs: 30_000 };
  if (status === 401) return { kind: 'auth', refresh: true };
  if (status === 403) return { kind: 'auth', refresh: false };
  if (status === 409) return { kind: 'conflict' };
  if (status === 408 || status === 425 || status >= 500) return { kind: 'transient' };
  return { kind: 'data' };
}

export function treatmentOf(rules: readonly ErrorRule[], answer: { readonly status: number; readonly isHtml: boolean; readonly code: string; readonly message: string }): Treatment {
  const found = rules.find(({ status, code }) => (status === 'html' ? answer.isHtml : status === answer.status) && fits(code, answer));
  return found?.treatment ?? usualTreatment(answer.status);
}

function fits(code: string | RegExp | undefined, answer: { readonly code: string; readonly message: string }): boolean {
  if (code === undefined) return true;
  return typeof code === 'string' ? code === answer.code : code.test(`${answer.code} ${answer.message}`);
}
