import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { eventLimits, nestingOf, type TrunklineError } from '@trunkline/contracts';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BodyNotJson, ContentTypeUnknown, HeadersTooLarge, HttpMalformed, RequestInvalid, RequestTimedOut } from './errors.js';
import { mediaTypeOf } from './media-type.js';
import { repeatsName } from '../publish/json-slices.js';
import { answerProblem, type ReportBug } from './problem.filter.js';
import { problemOf } from './problem.js';

const rawPaths = new Set(['/api/events']);
const longestParameter = 1100;
/** After a refusal a sender that goes on writing is listened to this long, unread, so that it gets to see the answer. */
const lingerMs = 2_000;

/** Headers of a request beyond these are refused: Node would leave out what is above its own limit without a word. */
const mostHeaders = 100;
/** Twice in one request, each of these could mean one thing to us and another to a proxy. */
const onceOnly = new Set(['authorization', 'x-api-key', 'host', 'content-type', 'content-length', 'transfer-encoding', 'cookie', 'origin', 'x-csrf-token', 'sec-fetch-site', 'idempotency-key', 'if-match']);
/** Two years, as browsers' preload lists ask for (hstspreload.org, read 2026-11-21). */
const httpsOnly = 'max-age=63072000';

const securityHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
};

/** How long a sender may take. A connection that dribbles is cut, whatever it sends. */
export interface Patience {
  readonly headersMs: number;
  readonly requestMs: number;
}

export const usualPatience: Patience = { headersMs: 10_000, requestMs: 30_000 };

export interface EdgeOptions {
  readonly trustedProxies: readonly string[];
  /** Browsers reach us over https alone. */
  readonly isHttps: boolean;
  readonly patience?: Patience;
}

/** Fastify as the edge needs it: bodies arrive as bytes, are bounded, and are parsed as JSON only off the hot path. */
export function edgeAdapter(reportBug: ReportBug, { trustedProxies, isHttps, patience = usualPatience }: EdgeOptions): FastifyAdapter {
  const headers = isHttps ? { ...securityHeaders, 'strict-transport-security': httpsOnly } : securityHeaders;
  const adapter = new FastifyAdapter({
    // Anybody can send X-Forwarded-For; it says where a request came from only behind a proxy of ours.
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    bodyLimit: eventLimits.bodyBytes,
    requestTimeout: patience.requestMs,
    // Node looks for late connections this often, by default only every 30 s.
    http: { headersTimeout: patience.headersMs, connectionsCheckingInterval: Math.min(1_000, patience.headersMs / 2) },
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: longestParameter },
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    genReqId: () => crypto.randomUUID(),
    clientErrorHandler: (error: Error, socket: HalfRead) => refuseMalformedHttp(error, socket, headers),
    // Addresses the router cannot read come here past every hook.
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => answerProblem(error, request, reply.headers(headers), reportBug),
  });
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') return done(ContentTypeUnknown.because(`content-encoding ${JSON.stringify(encoding)} is not understood; send the body as it is`));
    if (request.is404 || rawPaths.has(request.routeOptions.url ?? '')) return done(null, body);
    try {
      return done(null, parseControlBody(request, body as Buffer));
    } catch (error) {
      return done(error as Error);
    }
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers);
    done(oddHeaders(request.raw.rawHeaders) ?? undefined);
  });
  refuseLargeBodiesEarly(fastify.server as Server);
  return adapter;
}

function parseControlBody(request: FastifyRequest, body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (mediaTypeOf(request.headers['content-type']) !== 'application/json') throw ContentTypeUnknown.because('this takes application/json');
  if (nestingOf(body) > eventLimits.nesting) throw BodyNotJson.because(`the JSON is nested deeper than ${eventLimits.nesting} levels`);
  const text = body.toString('utf8');
  try {
    const parsed: unknown = inheritedIn.test(text) ? JSON.parse(text, refuseInherited) : JSON.parse(text);
    refuseWide(parsed);
    if (repeatsName(body)) throw RequestInvalid.because('a field is given twice');
    return parsed;
  } catch (error) {
    if (RequestInvalid.matches(error)) throw error;
    throw BodyNotJson.from(error, 'the body is not JSON');
  }
}

/** Fields and items in all of a control-plane body. Checking one against its description takes time that grows with their square: 60,000 unknown fields, 0.9 MB, took four seconds (measured 2026-11-21). */
const mostMembers = 10_000;

function refuseWide(body: unknown): void {
  const waiting = [body];
  for (let members = 0; waiting.length > 0; ) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    const inner = Object.values(value);
    members += inner.length;
    if (members > mostMembers) throw RequestInvalid.because(`the body has more than ${mostMembers} fields and items`);
    for (const each of inner) waiting.push(each);
  }
}

/** Names every object has already, `__proto__` among them: what copies a body's fields into an object of ours would change what it is, or lose them without a word. */
const inherited = new Set([...Object.getOwnPropertyNames(Object.prototype), 'prototype']);
/** Only a body in which one of them may stand, written out or escaped, is looked through. */
const inheritedIn = new RegExp(`\\\\u|${[...inherited].join('|')}`);

function refuseInherited(name: string, value: unknown): unknown {
  if (inherited.has(name)) throw RequestInvalid.because(`${name} may not be sent: no field has that name`);
  return value;
}

/** A sender that announces its size, or asks before sending (`Expect: 100-continue`), is answered before a byte of the body is taken. */
function refuseLargeBodiesEarly(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (Number(request.headers['content-length'] ?? 0) <= eventLimits.bodyBytes) response.writeContinue();
    server.emit('request', request, response);
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    response.once('finish', () => {
      if (request.complete) return;
      // Dropping the connection at once would reset it, and the answer with it (RFC 9112 §9.6).
      const timer = setTimeout(() => request.destroy(), lingerMs);
      request.once('close', () => clearTimeout(timer));
      request.resume();
    });
  });
}

/** Names and values in turn, as they were sent. */
function oddHeaders(sent: readonly string[]): Error | null {
  if (sent.length > 2 * mostHeaders) return HeadersTooLarge.because(`there are more than ${mostHeaders} headers`);
  const seen = new Set<string>();
  for (let index = 0; index < sent.length; index += 2) {
    const name = (sent[index] ?? '').toLowerCase();
    // Attributes of an event (CloudEvents HTTP binding) would be joined into one.
    if (!onceOnly.has(name) && !name.startsWith('ce-')) continue;
    if (seen.has(name)) return HttpMalformed.because(`the header ${name} may be sent once`);
    seen.add(name);
  }
  return null;
}

interface HalfRead {
  readonly writable: boolean;
  end(text: string): void;
  destroy(): void;
}

function refuseMalformedHttp(error: Error & { code?: string }, socket: HalfRead, headers: Readonly<Record<string, string>>): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
  const problem = whatWasWrong(error.code);
  const body = JSON.stringify(problemOf(problem));
  const head = Object.entries({ ...headers, 'content-type': 'application/problem+json; charset=utf-8', 'content-length': Buffer.byteLength(body), connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${problem.definition.http} ${problem.definition.title}\r\n${head.join('')}\r\n${body}`);
}

function whatWasWrong(code: string | undefined): TrunklineError {
  if (code === 'HPE_HEADER_OVERFLOW') return HeadersTooLarge.because('the headers are larger than 16 KB');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return RequestTimedOut.because('the request took too long to arrive');
  return HttpMalformed.because('the request could not be parsed');
}
