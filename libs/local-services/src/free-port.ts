import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

export const LOOPBACK = '127.0.0.1';

/**
 * Below the ports that systems give to whoever asks for any (Linux from 32768, others from 49152): what is found free stays free until somebody listens there,
 * also while a killed server is away. Each process looks in a stretch of its own, one port after the other, so that two that look at once hardly find the same.
 */
const places = { from: 12_000, stretches: 300, each: 64 } as const;
const first = places.from + (process.pid % places.stretches) * places.each;
let next = randomInt(places.each);

export async function freePort(): Promise<number> {
  for (let looked = 0; looked < places.each; looked += 1) {
    const port = first + next;
    next = (next + 1) % places.each;
    if (await canListen(port)) return port;
  }
  return anyPort();
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, LOOPBACK, () => server.close(() => resolve(true)));
  });
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, LOOPBACK, () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port was given'))));
    });
  });
}

export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
