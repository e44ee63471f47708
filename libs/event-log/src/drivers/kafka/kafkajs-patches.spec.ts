import { createRequire } from 'node:module';
import { applyKafkajsPatches } from './kafkajs-patches.js';

interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  readonly throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}

applyKafkajsPatches();
const logger = { debug: () => undefined, warn: () => undefined };
const queueOf = (): RequestQueue => {
  const Queue = createRequire(__filename)('kafkajs/src/network/requestQueue') as new (parts: object) => RequestQueue;
  return new Queue({ maxInFlightRequests: 1, requestTimeout: 1_000, enforceRequestTimeout: false, clientId: 'spec', broker: 'none', logger });
};

/** Node warns of a timer of negative duration, on the standard error of whoever starts the platform. */
it.each([
  ['never throttled', -1],
  ['throttled once', Date.now() - 5_000],
  ['throttled still', Date.now() + 60_000],
])('a queue in which nothing waits sets no timer: %s', (_, throttledUntil) => {
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const queue = queueOf();
  queue.throttledUntil = throttledUntil;
  queue.checkPendingRequests();
  expect([queue.throttleCheckTimeoutId, warned.mock.calls]).toEqual([null, []]);
  warned.mockRestore();
});

it('a queue in which something waits is looked after', () => {
  const queue = queueOf();
  queue.pending = ['a request'];
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).not.toBeNull();
  queue.destroy();
});
