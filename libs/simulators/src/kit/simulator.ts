import type { IncomingMessage, ServerResponse } from 'node:http';
import { AuthorizationServer } from './authorization-server.js';
import { Call, Refusal } from './call.js';
import type { Reply } from './call.js';
import { CallLog, unknownRoute } from './call-log.js';
import type { CallRecord } from './call-log.js';
import type { SimulatorClock } from './clock.js';
import { EffectLog } from './effect-log.js';
import { Faults } from './faults.js';
import type { Fault } from './faults.js';
import type { Journal } from './journal.js';
import type { KeptCalls } from './kept-calls.js';
import type { LastingState } from './lasting-state.js';
import { Limiter } from './limits.js';
import type { Usage } from './limits.js';
import type { Effect, ProviderDefinition, Route, World } from './provider.js';
import type { RecordStore } from './record-store.js';
import { Router } from './router.js';
import { changeSettings } from './settings.js';
import type { Settings } from './settings.js';
import type { Tokens } from './tokens.js';

export interface SimulatorParts {
  readonly provider: ProviderDefinition;
  readonly store: RecordStore;
  readonly journal: Journal;
  readonly lastSeq: number;
  readonly clock: SimulatorClock;
  readonly tokens: Tokens;
  readonly state: LastingState;
  readonly settings: Settings;
  /** Where every call is written down; absent: nowhere. */
  readonly keptCalls?: KeptCalls;
}

const endlessPieceBytes = 16_384;

/** What one call has gathered on its way to the answer. */
interface Passage {
  readonly call: Call;
  readonly route: Route | undefined;
  readonly fault: Fault | undefined;
  readonly record: CallRecord;
  readonly startedMs: number;
  readonly response: ServerResponse;
  usage?: Usage;
}

/** One provider: every call is counted, every write is in the journal before it is answered. */
export class Simulator implements World {
  readonly provider: ProviderDefinition;
  readonly store: RecordStore;
  readonly clock: SimulatorClock;
  readonly tokens: Tokens;
  readonly state: LastingState;
  readonly authorization: AuthorizationServer;
  readonly faults = new Faults();
  readonly calls = new CallLog();
  readonly limiter: Limiter;
  readonly effects: EffectLog;
  settings: Settings;
  private readonly journal: Journal;
  private readonly keptCalls: KeptCalls | undefined;
  private readonly router = new Router<Route>();
  private inHand = 0;

  constructor(parts: SimulatorParts) {
    ({ provider: this.provider, store: this.store, clock: this.clock, tokens: this.tokens } = parts);
    ({ state: this.state, settings: this.settings, journal: this.journal, keptCalls: this.keptCalls } = parts);
    this.authorization = new AuthorizationServer(this.state, this.tokens, this.clock, () => this.settings);
    this.limiter = new Limiter(this.provider.limits, this.settings.limits);
    this.effects = new EffectLog(this.provider, this.store, this.journal, parts.lastSeq);
    for (const route of this.provider.routes) this.router.add(route.method, route.path, route);
  }

  commit(call: Call, effect: Effect): void {
    this.effects.commit(call, effect);
  }

  allowance(): { readonly Max: number; readonly Remaining: number } {
    const usage = this.limiter.usage(this.clock.now());
    return { Max: usage?.rule.allowed ?? 0, Remaining: Math.max(0, (usage?.rule.allowed ?? 0) - (usage?.used ?? 0)) };
  }

  allOrNothing(work: () => boolean): boolean {
    return this.effects.allOrNothing(work);
  }

  configure(changes: unknown): Settings {
    const settings = changeSettings(this.settings, changes);
    if (JSON.stringify(settings.limits) !== JSON.stringify(this.settings.limits)) this.limiter.change(settings.limits);
    return (this.settings = settings);
  }

  get callsInHand(): number {
    return this.inHand;
  }

  receive(request: IncomingMessage, response: ServerResponse, path: string, queryText: string, body: string): void {
    const passage = this.begin(request, response, path, queryText, body);
    const { fault } = passage;
    this.inHand += 1;
    if (fault?.reset === 'before') this.cut(passage);
    else if (fault?.commitAfterMs === undefined) this.proceed(passage);
    else setTimeout(() => this.proceed({ ...passage, call: passage.call.happeningAt(this.clock.now()) }), fault.commitAfterMs).unref();
  }

  private begin(request: IncomingMessage, response: ServerResponse, path: string, queryText: string, body: string): Passage {
    const method = request.method ?? 'GET';
    const routed = this.provider.routedPath?.(path) ?? path;
    const found = this.router.find(method, routed);
    const route = found.kind === 'route' ? found.target : otherMethodRoute(found, this.provider);
    const operation = found.kind === 'route' ? found.target.operation : unknownRoute;
    const at = this.clock.now();
    const fault = this.faults.take(method, path, operation, at);
    const requestId = this.provider.newRequestId(at);
    const parameters = found.kind === 'route' ? found.parameters : {};
    const searchLagMs = fault?.searchLagMs ?? this.settings.searchLagMs;
    const call = new Call(method, path, queryText, request.headers, body, at, requestId, operation, parameters, searchLagMs);
    const faultId = fault === undefined ? {} : { faultId: fault.id };
    const record: CallRecord = { at: new Date(at).toISOString(), method, path: call.pathAndQuery, operation, requestId, ...faultId };
    this.calls.add(record);
    this.keptCalls?.add({ atMs: at, operation, path });
    return { call, route, fault, record, startedMs: performance.now(), response };
  }

  /** Does the work of the call, unless its fault says otherwise, and answers once the journal has it. */
  private proceed(passage: Passage): void {
    const { fault } = passage;
    const isPrevented = fault !== undefined && fault.applied !== true && answersInstead(fault);
    const own = isPrevented ? undefined : this.work(passage);
    const reply = fault === undefined ? own : (this.faultReply(passage, fault, own) ?? own);
    const lateMs = this.settings.latencyMs + (fault?.latencyMs ?? 0);
    this.journal.whenWritten((failure) => {
      if (failure !== undefined || fault?.reset === 'after') this.cut(passage);
      else if (fault?.endless === true) this.pour(passage, reply?.status ?? 200);
      else if (fault?.holds === true) this.faults.hold(fault.id, () => this.answer(passage, reply));
      else if (lateMs === 0) this.answer(passage, reply);
      else setTimeout(() => this.answer(passage, reply), lateMs).unref();
    });
  }

  private work(passage: Passage): Reply {
    const { call, route } = passage;
    const { answers } = this.provider;
    if (route === undefined) return answers.notFound(call);
    try {
      return route.isOpen === true ? route.handle(call, this) : this.guarded(passage, route);
    } catch (error) {
      if (error instanceof Refusal) return error.reply;
      process.stderr.write(`${this.provider.id} simulator failed at ${call.operation}: ${error instanceof Error ? error.stack : String(error)}\n`);
      return answers.failed(call, 500);
    }
  }

  private guarded(passage: Passage, route: Route): Reply {
    const { call, record } = passage;
    const { answers } = this.provider;
    const token = this.provider.tokenOf(call, this.settings);
    if (token === undefined || !this.tokens.isValid(token, call.at)) return answers.unauthorised(call, this);
    const admission = this.limiter.admit(token, call.at, this.inHand);
    if (admission.usage !== undefined) passage.usage = admission.usage;
    if (admission.refusedBy === undefined) return route.handle(call, this);
    this.calls.limited(record);
    return answers.limited(call, admission.refusedBy);
  }

  private faultReply({ call }: Passage, fault: Fault, own: Reply | undefined): Reply | undefined {
    const retryAfter: Record<string, string> = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter };
    if (fault.html === true) return { ...this.provider.answers.loginPage(call), status: fault.status ?? 200 };
    if (typeof fault.html === 'string') return { status: fault.status ?? 200, text: fault.html, contentType: 'text/html', headers: retryAfter };
    if (fault.body !== undefined) return { status: fault.status ?? 200, body: fault.body, headers: retryAfter };
    if (fault.status !== undefined) return withHeaders(isTokenRefusal(call, fault.status) ? tokenRefusal(fault.status) : this.provider.answers.failed(call, fault.status), retryAfter);
    if (fault.malformed === true && own !== undefined) return { ...own, ...halfOf(own) };
    return own === undefined || fault.retryAfter === undefined ? undefined : withHeaders(own, retryAfter);
  }

  private answer(passage: Passage, reply: Reply | undefined): void {
    const { call, response } = passage;
    const given = reply ?? this.provider.answers.failed(call, 500);
    const headers: Record<string, string | number> = { ...this.provider.headers(call, passage.usage), ...given.headers };
    const text = given.text ?? (given.body === undefined ? '' : JSON.stringify(given.body));
    if (text !== '') headers['content-type'] ??= given.contentType ?? 'application/json;charset=UTF-8';
    if (given.status !== 204) headers['content-length'] = Buffer.byteLength(text);
    response.writeHead(given.status, headers);
    response.end(call.method === 'HEAD' ? '' : text);
    this.finish(passage, given.status);
  }

  /** A body for as long as somebody listens. */
  private pour(passage: Passage, status: number): void {
    const { response } = passage;
    const piece = Buffer.alloc(endlessPieceBytes, ' ');
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', more).once('close', () => this.finish(passage, status));
    response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8' });
    more();
  }

  private cut(passage: Passage): void {
    passage.response.socket?.resetAndDestroy();
    this.finish(passage, 0);
  }

  private finish({ record, startedMs }: Passage, status: number): void {
    this.inHand -= 1;
    record.status = status;
    record.durationMs = Math.round((performance.now() - startedMs) * 10) / 10;
  }
}

function answersInstead(fault: Fault): boolean {
  return fault.status !== undefined || fault.html !== undefined || fault.body !== undefined;
}

/** Token endpoints keep to OAuth's error object (RFC 6749 section 5.2) whatever the API's own errors look like. */
function isTokenRefusal(call: Call, status: number): boolean {
  return call.operation === 'token' && status >= 400 && status < 500;
}

function tokenRefusal(status: number): Reply {
  const error = status === 401 ? 'invalid_client' : 'invalid_request';
  return { status, body: { error, error_description: 'The request was refused.' } };
}

function withHeaders(reply: Reply, headers: Readonly<Record<string, string>>): Reply {
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

function halfOf(reply: Reply): Pick<Reply, 'text' | 'contentType'> {
  const text = reply.text ?? (reply.body === undefined ? '{"' : JSON.stringify(reply.body));
  return { text: text.slice(0, Math.max(1, Math.floor(text.length / 2))), contentType: reply.contentType ?? 'application/json;charset=UTF-8' };
}

/** A known path asked with another method: answered (and counted as unknown) without doing anything. */
function otherMethodRoute(found: { readonly kind: string; readonly allowed?: readonly string[] }, provider: ProviderDefinition): Route | undefined {
  const { allowed } = found;
  if (allowed === undefined) return undefined;
  return { operation: unknownRoute, method: 'GET', path: '', isOpen: true, handle: (call) => provider.answers.otherMethod(call, allowed) };
}
