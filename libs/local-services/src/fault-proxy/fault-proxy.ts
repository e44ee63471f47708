/**
 * A TCP proxy that misbehaves on request, so that tests see what a client does when a network fails at the worst moment.
 * It knows nothing of the protocol above it, except where one message ends, when told.
 */
import { connect, createServer, type Server } from 'node:net';
import { Link } from './link.js';
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
  /** Forwards the next matching request, waits until the target has answered it, withholds that answer and cuts the connection. Resolves then. */
  dropNextResponse(matches: (request: Buffer) => boolean): Promise<void>;
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
  const drops: Drop[] = [];
  let isPaused = false;

  const takeDrop = (request: Buffer): (() => void) | null => {
    const index = drops.findIndex((drop) => drop.matches(request));
    const [drop] = index < 0 ? [] : drops.splice(index, 1);
    return drop?.happened ?? null;
  };
  const server = createServer((client) => {
    const link = new Link(client, connect(options.targetPort, host), options.framing ?? 'stream', takeDrop);
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
    dropNextResponse: (matches) => new Promise((happened) => drops.push({ matches, happened })),
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

interface Drop {
  matches(request: Buffer): boolean;
  happened(): void;
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

