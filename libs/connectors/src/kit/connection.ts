import type { Finding, Json, RepeatMethod, StepOutcome } from '@trunkline/chain';
import type { ProviderCall } from '@trunkline/contracts';
import type { Deadline, Exchange, OutboundRequest } from '@trunkline/outbound';
import { signInOf } from './auth.js';
import { authorisation, fetchToken, type Send } from './authorise.js';
import type { CallTemplate, ResultPaths } from './call-template.js';
import { Concealment } from './concealment.js';
import { SettingsIncomplete } from './errors.js';
import { withDefaults } from './form.js';
import { findingOf, findingOfTokenFailure, outcomeOfPreparation, outcomeOfTokenFailure, outcomeOfWrite } from './outcome.js';
import type { Preparation } from './preparation.js';
import type { Action, Provider } from './provider.js';
import { searchOf, type Search } from './repeat.js';
import { baseAddress, buildRequest } from './request.js';
import { read, renderText, TemplateGap, type Scope } from './template.js';
import type { Token, TokenAnswer, TokenCache, TokenFailure } from './tokens.js';
import { brief, judge, type Verdict } from './verdict.js';

export interface ConnectionParts {
  readonly provider: Provider;
  /** Stands for integration and version of its credentials in the token cache. */
  readonly id: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly tokens: TokenCache;
  /** Tokens that a person granted by signing in at the provider. */
  readonly granted?: GrantedTokens;
  readonly send: Send;
  /** Database clock. */
  readonly nowMs: () => number;
}

/** Where stored tokens come from. `refused`: the provider did not take it, and neither would it one that is as old. */
export interface GrantedTokens {
  obtain(refused: Token | null): Promise<TokenAnswer>;
}

export interface WriteRequest {
  readonly action: Action;
  /** JSON text of the mapped input. */
  readonly input: Buffer;
  /** The effect key: idempotency key, unique field or searched reference. */
  readonly reference: string;
  /** Of this dispatch; a `key` may have grown too old to be one. */
  readonly repeat: RepeatMethod;
  readonly deadline: Deadline;
  /** Asked right before the write leaves. */
  readonly mayWrite?: () => string | null;
  /** Every call of it but those for tokens, which are in no limit of calls, goes through here; absent: straight out. */
  readonly meter?: Meter;
}

export type Meter = (request: OutboundRequest, send: Send) => Promise<Exchange>;

export interface Called<T> {
  readonly answer: T;
  /** The last call made; null when none was. */
  readonly call: ProviderCall | null;
}

export interface CheckAnswer {
  readonly isGood: boolean;
  readonly findings: readonly { readonly shows: string; readonly isGood: boolean; readonly problem: string | null }[];
}

type Sent = { readonly kind: 'verdict'; readonly verdict: Verdict } | { readonly kind: 'no-token'; readonly failure: TokenFailure };

/** One integration, ready to be called. Speaks HTTP, knows nothing of intents, budgets and queues. */
export class Connection {
  private readonly provider: Provider;
  private readonly base: Scope;
  private readonly concealment: Concealment;
  private readonly isGranted: boolean;
  private baseUrl: { readonly instanceUrl: string | null; readonly url: URL } | null = null;

  constructor(private readonly parts: ConnectionParts) {
    this.provider = parts.provider;
    this.base = { settings: withDefaults(parts.provider.settings, parts.settings), credentials: parts.credentials };
    this.concealment = new Concealment(parts.credentials);
    this.isGranted = signInOf(parts.provider, parts.settings) === 'authorization_code';
  }

  async write(request: WriteRequest): Promise<Called<StepOutcome>> {
    const trace = new Trace(this.provider, this.parts.nowMs, request.meter);
    const answer = await this.writeTraced(request, trace).catch((error: unknown) => mistakeAsOutcome(error));
    return this.concealment.apply({ answer, call: trace.last });
  }

  private async writeTraced({ action, input, reference, repeat, deadline, mayWrite }: WriteRequest, trace: Trace): Promise<StepOutcome> {
    const values = parseInput(action, input);
    if ('kind' in values) return values;
    let scope: Scope = { ...this.base, input: values.input, reference };
    for (const preparation of action.prepare ?? []) {
      const prepared = await this.prepare(preparation, scope, deadline, trace);
      if (prepared.kind === 'value') scope = withPrepared(scope, preparation.name, prepared.value);
      else if (prepared.kind === 'no-token') return outcomeOfTokenFailure(prepared.failure, this.parts.nowMs());
      else if (prepared.kind === 'absent') return { kind: 'failed', class: 'data', code: 'preparation.absent', message: `there is no ${preparation.name}` };
      else return outcomeOfPreparation(prepared.verdict, this.parts.nowMs());
    }
    const { write } = action;
    const header = write.repeat.method === 'key' ? { [write.repeat.header]: reference } : {};
    const sent = await this.send(write, scope, deadline, trace, { headers: header, ...(mayWrite === undefined ? {} : { mayWrite }), isWriteProven: repeat === 'key' || repeat === 'upsert' });
    if (sent.kind === 'no-token') return outcomeOfTokenFailure(sent.failure, this.parts.nowMs());
    if (sent.verdict.kind !== 'good') return outcomeOfWrite(sent.verdict, repeat, this.parts.nowMs());
    const result = sent.verdict.body === undefined && write.mayBeEmpty !== true ? null : resultOf(write.result, sent.verdict.body, scope);
    const externalId = result === null ? null : textOf(result[write.externalId]);
    // P4: a success that does not say what was written cannot be taken for one.
    if (result === null || (externalId === null && write.mayBeEmpty !== true)) return outcomeOfWrite({ kind: 'unreadable', code: 'answer.incomplete', message: `the answer does not hold ${write.externalId}` }, repeat, this.parts.nowMs());
    return { kind: 'ok', result, externalId };
  }

  /** Looks for what an earlier dispatch may have written. */
  async search(request: Pick<WriteRequest, 'action' | 'input' | 'reference' | 'deadline' | 'meter'>): Promise<Called<Finding>> {
    const trace = new Trace(this.provider, this.parts.nowMs, request.meter);
    const answer = await this.searchTraced(request, trace).catch((error: unknown) => mistakeAsFinding(error));
    return this.concealment.apply({ answer, call: trace.last });
  }

  private async searchTraced({ action, input, reference, deadline }: { readonly action: Action; readonly input: Buffer; readonly reference: string; readonly deadline: Deadline }, trace: Trace): Promise<Finding> {
    const search = searchOf(action.write.repeat);
    if (search === undefined) return { kind: 'failed', class: 'transient', code: 'search.none', message: 'the action has no search' };
    const values = parseInput(action, input);
    if ('kind' in values) return { kind: 'failed', class: 'transient', code: values.code, message: values.message };
    let scope: Scope = { ...this.base, input: values.input, reference };
    for (const preparation of search.prepare ?? []) {
      const prepared = await this.prepare(preparation, scope, deadline, trace);
      if (prepared.kind === 'value') scope = withPrepared(scope, preparation.name, prepared.value);
      else if (prepared.kind === 'absent') return { kind: 'none' };
      else if (prepared.kind === 'no-token') return findingOfTokenFailure(prepared.failure, this.parts.nowMs());
      else return findingOf(prepared.verdict, this.parts.nowMs());
    }
    return this.readPages(search, scope, deadline, trace);
  }

  private async readPages(search: Search, scope: Scope, deadline: Deadline, trace: Trace): Promise<Finding> {
    const hits: unknown[] = [];
    const most = search.pages?.most ?? 1;
    const field = renderText(search.matches.path, scope);
    for (let page = 1; ; page += 1) {
      const call = search.pages === undefined ? search.call : { ...search.call, query: { ...search.call.query, [search.pages.parameter]: String(page) } };
      const sent = await this.send(call, scope, deadline, trace);
      if (sent.kind === 'no-token') return findingOfTokenFailure(sent.failure, this.parts.nowMs());
      if (sent.verdict.kind !== 'good') return findingOf(sent.verdict, this.parts.nowMs());
      const rows = read(sent.verdict.body, search.rows);
      if (!Array.isArray(rows)) return { kind: 'failed', class: 'transient', code: 'search.unreadable', message: `the answer has no list ${search.rows}` };
      if (rows.length > 0 && rows.every((row) => read(row, field) === undefined)) return { kind: 'failed', class: 'transient', code: 'search.column_missing', message: `the rows have no ${field}` };
      hits.push(...rows.filter((row) => isMatch(search, read(row, field), scope)));
      const isLast = search.pages === undefined || rows.length < search.pages.size;
      if (isLast) break;
      // Not everything was seen: a hit is a hit, but absence is not proven.
      if (page >= most && hits.length === 0) return { kind: 'failed', class: 'transient', code: 'search.too_many', message: `more than ${most} pages` };
      if (page >= most) break;
    }
    return findingOfHits(search, hits, scope);
  }

  async check(deadline: Deadline): Promise<CheckAnswer> {
    const trace = new Trace(this.provider, this.parts.nowMs);
    const findings: { shows: string; isGood: boolean; problem: string | null }[] = [];
    for (const { shows, call, problem } of this.provider.check) {
      const found = await this.send(call, this.base, deadline, trace).then(
        (sent) => problemIn(sent, (body) => problem?.(body, this.base['settings'] as Readonly<Record<string, unknown>>) ?? null),
        (error: unknown) => mistakeMessage(error),
      );
      findings.push({ shows, isGood: found === null, problem: found });
      if (found !== null) break;
    }
    return this.concealment.apply({ isGood: findings.every(({ isGood }) => isGood), findings });
  }

  private async prepare(preparation: Preparation, scope: Scope, deadline: Deadline, trace: Trace): Promise<Prepared> {
    const given = read(scope, preparation.given);
    if (given !== undefined && given !== null && given !== '') return { kind: 'value', value: given };
    const sent = await this.send(preparation.call, scope, deadline, trace, { isWriteProven: true });
    if (sent.kind === 'no-token') return sent;
    const { verdict } = sent;
    if (verdict.kind === 'refused' && (preparation.absentOn ?? []).includes(verdict.status)) return { kind: 'absent' };
    if (verdict.kind !== 'good') return { kind: 'bad', verdict };
    const value = read(verdict.body, preparation.take);
    return value === undefined || value === null ? { kind: 'bad', verdict: { kind: 'unreadable', code: 'answer.incomplete', message: `the answer does not hold ${preparation.take}` } } : { kind: 'value', value };
  }

  /** One request with a token. A refused token is replaced once, and only where the refusal proves that nothing was written; a token fetched just now is not. */
  private async send(call: CallTemplate, scope: Scope, deadline: Deadline, trace: Trace, how: { readonly headers?: Readonly<Record<string, string>>; readonly mayWrite?: () => string | null; readonly isWriteProven?: boolean } = {}): Promise<Sent> {
    // What the input lacks is found before a token is asked for, unless only the token says where it is good.
    const early = this.isGranted ? null : buildRequest(this.address(null), call, scope);
    for (let isRetry = false; ; isRetry = true) {
      const signed = await this.sign(deadline);
      if (signed.kind === 'no-token') return signed;
      const built = early ?? buildRequest(this.address(signed.instanceUrl), call, scope);
      const request = { ...built, headers: { ...built.headers, ...how.headers, ...signed.headers }, deadline, ...(how.mayWrite === undefined ? {} : { mayWrite: how.mayWrite }) };
      const exchange = await trace.of(request, this.parts.send);
      const verdict = judge(this.provider, exchange, this.parts.nowMs());
      trace.hasFreshToken ||= signed.isFresh;
      const isRefusedToken = verdict.kind === 'refused' && verdict.treatment.kind === 'auth' && verdict.treatment.refresh;
      if (isRefusedToken) signed.drop();
      const isSafe = verdict.kind === 'refused' && (verdict.provesNothingWritten || call.method === 'GET' || how.isWriteProven === true);
      if (!isRefusedToken || isRetry || trace.hasFreshToken || !isSafe) return { kind: 'verdict', verdict };
    }
  }

  private address(instanceUrl: string | null): URL {
    if (this.baseUrl?.instanceUrl !== instanceUrl || this.baseUrl === null) {
      const scope = instanceUrl === null ? this.base : { ...this.base, granted: { instance_url: instanceUrl } };
      this.baseUrl = { instanceUrl, url: baseAddress(this.provider.baseUrl, scope) };
    }
    return this.baseUrl.url;
  }

  private async sign(deadline: Deadline): Promise<Signed> {
    const { auth } = this.provider;
    if (auth.kind === 'none') return { kind: 'signed', headers: {}, isFresh: true, instanceUrl: null, drop: () => undefined };
    const { tokens, id, granted } = this.parts;
    const fetch = this.isGranted ? (refused: Token | null) => obtainGranted(granted, refused) : () => fetchToken(this.provider, auth, this.base, this.parts.send, deadline, this.parts.nowMs());
    const asked = tokens.get(id, fetch);
    // A refresh goes on whoever stops waiting for it: what it brings is stored for the next.
    const answer = this.isGranted ? await withinDeadline(asked, deadline) : await asked;
    if (answer.kind === 'none') return { kind: 'no-token', failure: answer.failure };
    this.concealment.hide(answer.token.value);
    return { kind: 'signed', headers: { authorization: authorisation(auth, this.base, answer.token.value) }, isFresh: answer.isFresh, instanceUrl: answer.token.instanceUrl ?? null, drop: () => tokens.drop(id, answer.token) };
  }
}

type Prepared =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'absent' }
  | { readonly kind: 'bad'; readonly verdict: Exclude<Verdict, { readonly kind: 'good' }> }
  | { readonly kind: 'no-token'; readonly failure: TokenFailure };

type Signed =
  | { readonly kind: 'signed'; readonly headers: Readonly<Record<string, string>>; readonly isFresh: boolean; readonly instanceUrl: string | null; drop(): void }
  | { readonly kind: 'no-token'; readonly failure: TokenFailure };

const notConnected = { kind: 'none', failure: { class: 'auth', code: 'auth.not_connected', message: 'nobody has signed in at the provider for this integration' } } as const;

function obtainGranted(granted: GrantedTokens | undefined, refused: Token | null): Promise<TokenAnswer> {
  return granted === undefined ? Promise.resolve(notConnected) : granted.obtain(refused);
}

async function withinDeadline<Answer>(asked: Promise<Answer>, deadline: Deadline): Promise<Answer | { readonly kind: 'none'; readonly failure: TokenFailure }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<{ readonly kind: 'none'; readonly failure: TokenFailure }>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'none', failure: { class: 'transient', code: 'auth.slow', message: 'a new token did not come in time' } }), Math.max(0, deadline.leftMs()));
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

/** What one attempt has done so far: its last call, for the record, and whether a token was fetched for it. */
class Trace {
  last: ProviderCall | null = null;
  hasFreshToken = false;

  constructor(
    private readonly provider: Provider,
    private readonly nowMs: () => number,
    private readonly meter: Meter = (request, send) => send(request),
  ) {}

  async of(request: OutboundRequest, send: Send): Promise<Exchange> {
    const startedAtMs = this.nowMs();
    const exchange = await this.meter(request, send);
    const header = this.provider.requestIdHeader;
    const requestId = exchange.kind === 'answered' && header !== undefined ? exchange.headers[header] : undefined;
    this.last = {
      startedAtMs,
      durationMs: Math.round(exchange.durationMs),
      httpStatus: exchange.status,
      providerRequestId: requestId === undefined ? null : brief(requestId),
      method: request.method,
      path: request.url.pathname,
    };
    return exchange;
  }
}

function withPrepared(scope: Scope, name: string, value: unknown): Scope {
  return { ...scope, prepared: { ...(scope['prepared'] as Scope | undefined), [name]: value } };
}

function parseInput(action: Action, bytes: Buffer): { readonly input: unknown } | Extract<StepOutcome, { kind: 'failed' }> {
  const broken = (message: string): Extract<StepOutcome, { kind: 'failed' }> => ({ kind: 'failed', class: 'data', code: 'input.incomplete', message });
  let input: unknown;
  try {
    input = JSON.parse(bytes.toString('utf8'));
  } catch {
    return broken('the input is not JSON');
  }
  if (input === null || typeof input !== 'object' || Array.isArray(input)) return broken('the input is not an object');
  const missing = action.input.filter(({ name, required }) => required && [undefined, null, ''].includes(read(input, name) as undefined));
  return missing.length === 0 ? { input } : broken(`the input lacks ${missing.map(({ name }) => name).join(', ')}`);
}

function resultOf(paths: ResultPaths, body: unknown, scope: Scope): Readonly<Record<string, Json>> {
  const entries = Object.entries(paths).map(([name, path]) => [name, bounded(path.startsWith('{') ? renderText(path, scope) : ((read(body, path) ?? null) as Json))] as const);
  return Object.fromEntries(entries);
}

/** Results travel with runs and are read by later steps: ids and short texts, not documents. */
function bounded(value: Json): Json {
  return JSON.stringify(value).length > 16_384 ? null : value;
}

function isMatch({ matches }: Search, found: unknown, scope: Scope): boolean {
  const value = textOf(found);
  if (value === null) return false;
  return 'equals' in matches ? value === renderText(matches.equals, scope) : value.includes(renderText(matches.contains, scope));
}

function findingOfHits(search: Search, hits: readonly unknown[], scope: Scope): Finding {
  if (hits.length === 0) return { kind: 'none' };
  const results = hits.map((hit) => resultOf(search.result, hit, scope));
  const ids = new Set(results.map((result) => textOf(result[search.externalId])));
  const [first] = results;
  if (ids.size > 1 || first === undefined) return { kind: 'several', count: hits.length };
  return { kind: 'found', result: first, externalId: textOf(first[search.externalId]) };
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string' && value !== '') return value;
  return typeof value === 'number' ? String(value) : null;
}

function problemIn(sent: Sent, look: (body: unknown) => string | null): string | null {
  if (sent.kind === 'no-token') return sent.failure.message;
  return sent.verdict.kind === 'good' ? look(sent.verdict.body) : sent.verdict.message;
}

/** Gaps of the input belong to the record, gaps of the settings to the integration; anything else is ours and is thrown on. */
function mistakeAsOutcome(error: unknown): StepOutcome {
  const message = mistakeMessage(error);
  if (SettingsIncomplete.matches(error) || (error instanceof TemplateGap && !error.path.startsWith('input'))) return { kind: 'auth', code: SettingsIncomplete.code, message };
  return { kind: 'failed', class: 'data', code: 'input.incomplete', message };
}

function mistakeAsFinding(error: unknown): Finding {
  const message = mistakeMessage(error);
  if (SettingsIncomplete.matches(error) || (error instanceof TemplateGap && !error.path.startsWith('input'))) return { kind: 'failed', class: 'auth', code: SettingsIncomplete.code, message };
  return { kind: 'failed', class: 'transient', code: 'input.incomplete', message };
}

function mistakeMessage(error: unknown): string {
  if (SettingsIncomplete.matches(error)) return `the settings are not complete: ${error.detail}`;
  if (error instanceof TemplateGap) return brief(error.message);
  throw error;
}
