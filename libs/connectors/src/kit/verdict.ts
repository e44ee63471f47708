import type { Exchange, Failure } from '@trunkline/outbound';
import { treatmentOf, type Treatment } from './error-rules.js';
import type { Provider } from './provider.js';
import { read } from './template.js';
import { waitMsFrom } from './wait-hint.js';

/** What an exchange says, before it is asked what that means for a write. */
export type Verdict =
  /** A success that can be read; `body` is undefined where there is none. */
  | { readonly kind: 'good'; readonly body: unknown }
  /** A success by its status, and not readable. */
  | { readonly kind: 'unreadable'; readonly code: string; readonly message: string }
  /** `provesNothingWritten`: the definition says so, with its source. */
  | { readonly kind: 'refused'; readonly status: number; readonly treatment: Treatment; readonly waitMs: number | null; readonly code: string; readonly message: string; readonly provesNothingWritten: boolean }
  /** No whole answer. */
  | { readonly kind: 'lost'; readonly reason: Failure['reason']; readonly reached: boolean; readonly code: string; readonly message: string };

export function judge(provider: Provider, exchange: Exchange, nowMs: number): Verdict {
  if (exchange.kind === 'failed') return { kind: 'lost', reason: exchange.reason, reached: exchange.firstByteLeft, code: `http.${exchange.reason.replaceAll('-', '_')}`, message: brief(exchange.detail) };
  const text = exchange.body.toString('utf8');
  const isHtml = (exchange.headers['content-type'] ?? '').toLowerCase().startsWith('text/html');
  const body = isHtml ? undefined : parse(text);
  const isSuccess = exchange.status >= 200 && exchange.status < 300;
  if (isSuccess && !(isHtml && provider.errors.some(({ status }) => status === 'html'))) return successVerdict(provider, text, body, exchange.status);
  const code = textAt(body, provider.errorBody.code) ?? `http.${exchange.status}`;
  const message = textAt(body, provider.errorBody.message) ?? brief(isHtml ? 'the answer is a web page' : text) ?? '';
  const treatment = treatmentOf(provider.errors, { status: exchange.status, isHtml, code, message: `${message} ${isHtml ? '' : text.slice(0, 2_000)}` });
  return {
    kind: 'refused',
    status: exchange.status,
    treatment,
    waitMs: treatment.kind === 'throttled' ? (waitMsFrom(treatment.until, { headers: exchange.headers, text: text.slice(0, 10_000) }, nowMs) ?? treatment.otherwiseMs) : waitMsFrom([{ in: 'retry-after' }], { headers: exchange.headers, text: '' }, nowMs),
    code: brief(code),
    message: brief(message || `the provider answered ${exchange.status}`),
    // A page that came in the place of the service's answer comes from what stands before the service.
    provesNothingWritten: isHtml && isSuccess ? provider.errors.some(({ status }) => status === 'html') : provider.nothingWritten.statuses.includes(exchange.status),
  };
}

function successVerdict(provider: Provider, text: string, body: unknown, status: number): Verdict {
  if (text.trim() === '') return { kind: 'good', body: undefined };
  if (body === undefined) return { kind: 'unreadable', code: 'answer.unreadable', message: `the provider answered ${status} with a body that is not JSON` };
  const problem = problemInBody(provider, body);
  if (problem === null) return { kind: 'good', body };
  return { kind: 'refused', status, treatment: { kind: 'data' }, waitMs: null, ...problem, provesNothingWritten: true };
}

function problemInBody({ failsInBody }: Provider, body: unknown): { readonly code: string; readonly message: string } | null {
  if (failsInBody === undefined) return null;
  const list = read(body, failsInBody.list);
  if (!Array.isArray(list)) return null;
  const problem: unknown = list.find((item) => read(item, failsInBody.field) === failsInBody.value);
  if (problem === undefined) return null;
  return { code: brief(textAt(problem, [failsInBody.code]) ?? 'refused'), message: brief(textAt(problem, [failsInBody.message]) ?? 'the provider refused it') };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Undefined is no JSON value, so it can say "not JSON".
    return undefined;
  }
}

function textAt(value: unknown, paths: readonly string[]): string | null {
  for (const path of paths) {
    const found = read(value, path);
    if (typeof found === 'string' && found !== '') return found;
    if (typeof found === 'number') return String(found);
  }
  return null;
}

/** For attempts and logs: one line, no control characters. */
export function brief(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim().slice(0, 300);
}
