import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Reply } from './call.js';
import type { Control } from './control.js';
import { SimulatorPortTaken } from './errors.js';
import type { Simulator } from './simulator.js';

const controlPrefix = '/_control';
const maxBodyBytes = 16 * 1024 * 1024;
const stopGraceMs = 2_000;

/** Plain node:http, because benchmarks run through it. Provider calls go straight through; the control side is apart. */
export function serverFor(simulator: Simulator, control: Control): Server {
  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 60_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBodyBytes) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => dispatch(simulator, control, request, response, bodyOf(chunks)));
  });
  return server;
}

function bodyOf(chunks: readonly Buffer[]): string {
  const [only] = chunks;
  if (only === undefined) return '';
  return (chunks.length === 1 ? only : Buffer.concat(chunks)).toString('utf8');
}

function dispatch(simulator: Simulator, control: Control, request: IncomingMessage, response: ServerResponse, body: string): void {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const queryText = mark === -1 ? '' : url.slice(mark + 1);
  if (!path.startsWith(controlPrefix)) return simulator.receive(request, response, path, queryText, body);
  const asked = { method: request.method ?? 'GET', path: path.slice(controlPrefix.length), query: new URLSearchParams(queryText), body };
  void control.handle(asked).then(
    (reply) => send(response, reply),
    (error: unknown) => send(response, { status: 500, body: { title: String(error) } }),
  );
}

function send(response: ServerResponse, { status, body, text, contentType = 'application/json' }: Reply): void {
  response.writeHead(status, { 'content-type': contentType });
  response.end(text ?? (body === undefined ? undefined : JSON.stringify(body)));
}

export async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? SimulatorPortTaken.from(error, `listening on ${host}:${port}`) : error));
    server.listen(port, host, () => resolve());
  });
  return (server.address() as AddressInfo).port;
}

/** Lets calls in hand finish for a moment, then cuts what is left. */
export async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), stopGraceMs);
  await closed;
  clearTimeout(cut);
}
