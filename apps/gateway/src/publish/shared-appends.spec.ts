import type { LogRecord } from '@trunkline/event-log';
import { SharedAppends } from './shared-appends.js';

const record = (text: string): LogRecord => ({ key: null, value: Buffer.from(text), headers: [] });

/** A log whose appends end when the test says so. */
function heldLog() {
  const calls: { readonly topic: string; readonly values: readonly string[]; end(error?: Error): void }[] = [];
  return {
    calls,
    append: (topic: string, records: readonly LogRecord[]) =>
      new Promise<[]>((resolve, reject) => calls.push({ topic, values: records.map(({ value }) => String(value)), end: (error) => (error === undefined ? resolve([]) : reject(error)) })),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const outcomeOf = (appending: Promise<void>): Promise<unknown> => appending.then(() => 'durable', (error: unknown) => error);
/** Longer than any machine stands still. */
const waitMs = 20_000;
const limits = { appendRecords: 3, waitingBytes: 100, silenceMs: waitMs };

describe('appends shared by requests', () => {
  it('puts the requests of one moment into one append per topic, in order', async () => {
    const log = heldLog();
    const appends = new SharedAppends(log, limits);
    const all = Promise.all([appends.append('a', [record('1')], waitMs), appends.append('b', [record('2')], waitMs), appends.append('a', [record('3')], waitMs)]);
    await turn();
    expect(log.calls.map(({ topic, values }) => [topic, values])).toEqual([['a', ['1', '3']], ['b', ['2']]]);
    log.calls.forEach((call) => call.end());
    await all;
  });

  it('gathers the next append while one is under way, up to its limit', async () => {
    const log = heldLog();
    const appends = new SharedAppends(log, limits);
    const all = ['1', '2', '3', '4', '5'].map((text) => appends.append('a', [record(text)], waitMs));
    await turn();
    expect(log.calls.map(({ values }) => values)).toEqual([['1', '2', '3']]);
    log.calls[0]?.end();
    await turn();
    expect(log.calls[1]?.values).toEqual(['4', '5']);
    log.calls[1]?.end();
    await Promise.all(all);
  });

  it('P1: resolves nobody before the log has confirmed, and tells everybody of a failure', async () => {
    const log = heldLog();
    const appends = new SharedAppends(log, limits);
    let isAnswered = false;
    const first = appends.append('a', [record('1')], waitMs).finally(() => (isAnswered = true));
    const second = appends.append('a', [record('2')], waitMs);
    await turn();
    expect(isAnswered).toBe(false);
    log.calls[0]?.end(new Error('away'));
    await expect(first).rejects.toMatchObject({ code: 'gateway.not_durable' });
    await expect(second).rejects.toMatchObject({ code: 'gateway.not_durable' });
  });

  describe('by a clock that the test moves', () => {
    beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'] }));
    afterEach(() => jest.useRealTimers());

    it('says "not durable" in time, and never sends what nobody waits for any more', async () => {
      const log = heldLog();
      const appends = new SharedAppends(log, limits);
      const refused = [outcomeOf(appends.append('a', [record('1')], 20))];
      await turn();
      expect(log.calls.map(({ values }) => values)).toEqual([['1']]);
      refused.push(outcomeOf(appends.append('a', [record('2')], 20)));
      jest.advanceTimersByTime(20);
      expect(await Promise.all(refused)).toMatchObject([{ code: 'gateway.not_durable' }, { code: 'gateway.not_durable' }]);
      const next = appends.append('a', [record('3')], waitMs);
      log.calls[0]?.end();
      await turn();
      expect(log.calls.map(({ values }) => values)).toEqual([['1'], ['3']]);
      log.calls[1]?.end();
      await next;
    });

    it('is not held up for ever by an append that never answers', async () => {
      const log = heldLog();
      const appends = new SharedAppends(log, { ...limits, silenceMs: 20 });
      const refused = outcomeOf(appends.append('a', [record('1')], 10));
      await turn();
      jest.advanceTimersByTime(10);
      expect(await refused).toMatchObject({ code: 'gateway.not_durable' });
      const next = appends.append('a', [record('2')], waitMs);
      await turn();
      expect(log.calls.map(({ values }) => values)).toEqual([['1']]);
      jest.advanceTimersByTime(10);
      await turn();
      expect(log.calls.map(({ values }) => values)).toEqual([['1'], ['2']]);
      log.calls[1]?.end();
      await next;
    });
  });

  it('turns requests away when too much is waiting, and takes them again afterwards', async () => {
    const log = heldLog();
    const appends = new SharedAppends(log, limits);
    const large = appends.append('a', [record('x'.repeat(80))], waitMs);
    await expect(appends.append('b', [record('y'.repeat(30))], waitMs)).rejects.toMatchObject({ code: 'gateway.overloaded' });
    await turn();
    log.calls[0]?.end();
    await large;
    const after = appends.append('b', [record('y'.repeat(30))], waitMs);
    await turn();
    log.calls[1]?.end();
    await after;
  });
});
