/**
 * A TCP proxy that misbehaves on request, so that tests see what a client does when a network fails at the worst moment.
 * It knows nothing of the protocol above it, except where one message ends, when told.
 */
import { connect, createServer, type Server } from 'node:net';
import { Link } from './link.js';
import type { Fault, FaultKind } from './fault.js';
import type { Framing } from './framing.js';

export interface FaultProxyOptions {
  readonly targetPort: number;
  readonly targetHost?: string;
  readonly port?: number;
  /** `length-prefixed`: 4-byte length, one response per request, in order (Kafka). `stream`: whatever arrives together is one message. */
  readonly framing?: Framing;
}

export interface FaultProxy {
  readonly port: number;
  /** The next matching request, or its response, suffers the fault. Resolves when that has happened. */
  failNextResponse(kind: Exclude<FaultKind, 'answered'>, matches: (request: Buffer) => boolean): Promise<void>;
  /** The next matching request does not reach the target: this is its answer, whole with its framing. Resolves when that has happened. */
  answerNext(matches: (request: Buffer) => boolean, answer: (request: Buffer) => Buffer): Promise<void>;
  /** Cuts every open connection now; new ones are accepted. */
  cut(): void;
  /** Bytes stop flowing both ways; connections stay open and new ones are accepted, then silent. */
  pause(): void;
  resume(): void;
  openConnections(): number;
  stop(): Promise<void>;
}

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const host = options.targetHost ?? '127.0.0.1';
  const links = new Set<Link>();
  const faults: Fault[] = [];
  let isPaused = false;

  const takeFault = (request: Buffer): Fault | null => {
    const index = faults.findIndex((fault) => fault.matches(request));
    return index < 0 ? null : (faults.splice(index, 1)[0] ?? null);
  };
  const server = createServer((client) => {
    const link = new Link(client, connect(options.targetPort, host), options.framing ?? 'stream', takeFault);
    links.add(link);
    link.onClosed(() => links.delete(link));
    if (isPaused) link.pause();
  });
  const port = await listen(server, options.port ?? 0);
  const cut = () => links.forEach((link) => link.cut());
  const setPaused = (paused: boolean) => {
    isPaused = paused;
    links.forEach((link) => (paused ? link.pause() : link.resume()));
  };
  return {
    port,
    failNextResponse: (kind, matches) => new Promise((happened) => faults.push({ kind, matches, happened })),
    answerNext: (matches, answer) => new Promise((happened) => faults.push({ kind: 'answered', matches, answer, happened })),
    cut,
    pause: () => setPaused(true),
    resume: () => setPaused(false),
    openConnections: () => links.size,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}

/** Kafka's request header begins, after the length, with the number of the interface called; 0 is Produce. */
export function isKafkaRequest(apiKey: number): (request: Buffer) => boolean {
  return (request) => request.length >= 6 && request.readInt16BE(4) === apiKey;
}

/** A simple query that is nothing but `commit`, as transactions end in PostgreSQL's protocol: alone, or behind the last statements that travel with it. */
export function isPostgresCommit(request: Buffer): boolean {
  return /Q\0\0\0[\x0b\x0c]commit;?\0$/i.test(request.toString('latin1'));
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
      else reject(new Error('the proxy got no port'));
    });
  });
}

