import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { eventLimits, nestingOf } from '@trunkline/contracts';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BodyNotJson, ContentTypeUnknown, HeadersTooLarge, HttpMalformed, RequestInvalid } from './errors.js';
import { mediaTypeOf } from './media-type.js';
import { answerProblem, type ReportBug } from './problem.filter.js';
import { problemOf } from './problem.js';

const rawPaths = new Set(['/api/events']);
const longestParameter = 1100;
/** After a refusal a sender that goes on writing is listened to this long, unread, so that it gets to see the answer. */
const lingerMs = 2_000;

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

/** Fastify as the edge needs it: bodies arrive as bytes, are bounded, and are parsed as JSON only off the hot path. */
export function edgeAdapter(reportBug: ReportBug, trustedProxies: readonly string[]): FastifyAdapter {
  const adapter = new FastifyAdapter({
    // Anybody can send X-Forwarded-For; it says where a request came from only behind a proxy of ours.
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    bodyLimit: eventLimits.bodyBytes,
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: longestParameter },
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    genReqId: () => crypto.randomUUID(),
    clientErrorHandler: refuseMalformedHttp,
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => answerProblem(error, request, reply, reportBug),
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
  fastify.addHook('onRequest', (_request, reply, done) => {
    reply.headers(securityHeaders);
    done();
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
    return /__proto__|\\u/.test(text) ? JSON.parse(text, refusePrototype) : JSON.parse(text);
  } catch (error) {
    if (RequestInvalid.matches(error)) throw error;
    throw BodyNotJson.from(error, 'the body is not JSON');
  }
}

/** What copies a body's fields into an object of ours would set its prototype by this name. */
function refusePrototype(name: string, value: unknown): unknown {
  if (name === '__proto__') throw RequestInvalid.because('a field may not be named __proto__');
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

function refuseMalformedHttp(error: Error & { code?: string }, socket: { writable: boolean; end(text: string): void; destroy(): void }): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return socket.destroy();
  const problem = error.code === 'HPE_HEADER_OVERFLOW' ? HeadersTooLarge.because('the headers are larger than 16 KB') : HttpMalformed.because('the request could not be parsed');
  const body = JSON.stringify(problemOf(problem));
  socket.end(`HTTP/1.1 ${problem.definition.http} ${problem.definition.title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}
