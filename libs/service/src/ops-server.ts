import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { redactText } from '@trunkline/telemetry';
import type { Metrics } from '@trunkline/telemetry';
import { OpsPortTaken } from './errors.js';
import type { Dependency } from './readiness.js';
import { readinessOf } from './readiness.js';

export interface OpsOptions {
  readonly port: number;
  readonly host?: string;
  readonly dependencies: readonly Dependency[];
  readonly metrics?: Pick<Metrics, 'scrape'>;
  readonly checkTimeoutMs?: number;
}

export interface OpsServer {
  readonly url: string;
  readonly port: number;
  /** From now on `/readyz` answers 503, so that nothing new is sent here while the rest drains. */
  drain(): void;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** `/healthz` (the process turns), `/readyz` (and what is missing), `/metrics`: on a port of their own, away from users. */
export async function startOps({ port, host = '127.0.0.1', dependencies, metrics, checkTimeoutMs = 2_000 }: OpsOptions): Promise<OpsServer> {
  let draining = false;
  const answers: Readonly<Record<string, () => Promise<Answer>>> = {
    '/healthz': async () => json(200, { healthy: true }),
    '/readyz': async () => {
      if (draining) return json(503, { ready: false, missing: [{ name: 'process', reason: 'shutting down' }] });
      const readiness = await readinessOf(dependencies, checkTimeoutMs);
      return json(readiness.ready ? 200 : 503, { ...readiness, missing: readiness.missing.map(({ name, reason }) => ({ name, reason: redactText(reason) })) });
    },
    '/metrics': async () => {
      if (metrics === undefined) return json(404, { title: 'This process keeps no metrics' });
      const { contentType, text } = await metrics.scrape();
      return { status: 200, type: contentType, body: text };
    },
  };
  const server = createServer((request, response) => void serve(answers, request, response));
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(OpsPortTaken.from(error, `listening on ${host}:${port}`)));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host}:${actualPort}`,
    port: actualPort,
    drain: () => {
      draining = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(answers: Readonly<Record<string, () => Promise<Answer>>>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, type, body } = await answerTo(answers, request);
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function answerTo(answers: Readonly<Record<string, () => Promise<Answer>>>, { method, url }: IncomingMessage): Promise<Answer> {
  const path = url?.split('?')[0] ?? '';
  if (!Object.hasOwn(answers, path)) return json(404, { title: 'Not found', paths: Object.keys(answers) });
  if (method !== 'GET' && method !== 'HEAD') return json(405, { title: 'Only GET is answered here' });
  try {
    return (await answers[path]?.()) ?? json(404, {});
  } catch {
    // The figures could not be printed; the caller is a scraper that will come again.
    return json(500, { title: 'The answer could not be made' });
  }
}

function json(status: number, body: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(body)}\n` };
}
