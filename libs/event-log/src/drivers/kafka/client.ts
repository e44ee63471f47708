import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Kafka, logLevel, type ISocketFactoryArgs, type RetryOptions, type SASLOptions } from 'kafkajs';
import { applyKafkajsPatches } from './kafkajs-patches.js';
import type { Settings } from './options.js';

/**
 * A kafkajs client that can be ended at once. kafkajs itself goes on retrying after `disconnect()`, and could deliver a batch that was given up on after the one
 * that replaced it; here every socket is destroyed, and an empty broker list, which kafkajs does not retry, ends its loops.
 */
export interface KafkaClient {
  readonly kafka: Kafka;
  destroy(): void;
}

export function createClient(settings: Settings, role: string, retry: RetryOptions = LONG_RETRY): KafkaClient {
  applyKafkajsPatches();
  const sockets = new Set<Socket>();
  let isDestroyed = false;
  const socketFactory = ({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket => {
    if (isDestroyed) throw new Error('this client has ended');
    const socket = ssl ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...(typeof ssl === 'object' ? ssl : {}) }, onConnect) : connectPlain({ host, port }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const kafka = new Kafka({
    clientId: `${settings.clientId}-${role}`,
    brokers: () => (isDestroyed ? [] : [...settings.brokers]),
    ssl: settings.tls,
    sasl: settings.sasl as SASLOptions | undefined,
    connectionTimeout: 3_000,
    requestTimeout: settings.requestTimeoutMs,
    socketFactory,
    retry,
    // What matters reaches the caller as a rejection or through health(); the rest is kafkajs reporting its own retries as errors.
    logLevel: logLevel.NOTHING,
  });
  return {
    kafka,
    destroy: () => {
      isDestroyed = true;
      // With an error, since kafkajs does not listen to 'close' and would let its requests hang until they time out.
      for (const socket of sockets) socket.destroy(new Error('this client has ended'));
    },
  };
}

/**
 * Always explicit: kafkajs chooses other defaults under NODE_ENV=test. Long, so that a broker's restart is survived with the same producer session (no duplicates)
 * and the same group member (no wait for a dead one's session); who may not wait so long destroys the client.
 */
export const LONG_RETRY = { initialRetryTime: 50, multiplier: 1.6, maxRetryTime: 400, factor: 0.2, retries: 5_000 } as const;

/** For questions with somebody waiting for the answer. */
export const SHORT_RETRY = { initialRetryTime: 50, multiplier: 1.6, maxRetryTime: 400, factor: 0.2, retries: 6 } as const;
