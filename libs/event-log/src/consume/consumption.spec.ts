import { Fenced, LogUnavailable } from '../errors.js';
import { createEventLog } from '../event-log.js';
import type { RecordOutcome, StoredRecord } from '../port.js';
import { ManualTiming, settle } from '../testing/manual-timing.js';
import { ScriptedDriver } from '../testing/scripted-driver.js';

const done: RecordOutcome = { kind: 'done' };

function open(tuning: { readonly gapLimit?: number } = {}) {
  const timing = new ManualTiming();
  const script = new ScriptedDriver();
  const reported: unknown[] = [];
  const log = createEventLog(script.driver, { timing, commitIntervalMs: 50, report: (error) => reported.push(error), ...tuning });
  return { timing, script, log, reported };
}

/** Calls that a test answers when it likes. */
function answering() {
  const calls: { readonly records: readonly StoredRecord[]; answer(outcome?: RecordOutcome): void; refuse(error: Error): void }[] = [];
  const handle = (records: readonly StoredRecord[]): Promise<readonly RecordOutcome[]> =>
    new Promise((resolve, reject) => calls.push({ records, answer: (outcome = done) => resolve(records.map(() => outcome)), refuse: reject }));
  const offsets = (call: number): string => calls[call]?.records.map(({ partition, offset }) => `${partition}:${offset}`).join(' ') ?? 'no call';
  return { calls, handle, offsets };
}

describe('a batch consumer', () => {
  const consumer = (handleBatch: (records: readonly StoredRecord[]) => Promise<readonly RecordOutcome[]>, maxRecords = 10) => ({ mode: 'batch', group: 'group', topics: ['topic'], maxRecords, handleBatch }) as const;

  it('folds what waits in all partitions into one call and has one call in flight', async () => {
    const { script, log } = open();
    const { calls, handle, offsets } = answering();
    await log.consume(consumer(handle));
    const [zero, one] = [script.assign(0, 1n), script.assign(1, 1n)];
    script.deliver(zero, 0, 2);
    script.deliver(one, 0, 1);
    await settle();
    script.deliver(zero, 2, 1);
    await settle();
    expect(calls).toHaveLength(1);
    expect(offsets(0)).toBe('0:0 0:1 1:0');
    calls[0]?.answer();
    await settle();
    expect(offsets(1)).toBe('0:2');
  });

  it('is not ready while a call of the handler does not return for two minutes', async () => {
    const { script, log, timing } = open();
    const { calls, handle } = answering();
    const consumption = await log.consume(consumer(handle));
    script.deliver(script.assign(0, 1n), 0, 1);
    await settle();
    await timing.advance(120_000);
    expect(consumption.health().ready).toBe(true);
    await timing.advance(1);
    expect(consumption.health()).toEqual({ ready: false, reason: 'a call of the handler has not returned for 120 s' });
    calls[0]?.answer();
    await settle();
    expect(consumption.health().ready).toBe(true);
  });

  it('gives each partition its share when more waits than a call takes', async () => {
    const { script, log } = open();
    const { handle, offsets } = answering();
    await log.consume(consumer(handle, 4));
    script.deliver(script.assign(0, 1n), 0, 100);
    script.deliver(script.assign(1, 1n), 0, 2);
    await settle();
    expect(offsets(0)).toBe('0:0 0:1 1:0 1:1');
  });

  it('repeats a refused batch with the same records, ever later, and passes nothing meanwhile', async () => {
    const { script, log, timing, reported } = open();
    const { calls, handle, offsets } = answering();
    await log.consume(consumer(handle));
    const held = script.assign(0, 1n);
    script.deliver(held, 0, 2);
    await settle();
    calls[0]?.refuse(new TypeError('broken'));
    await settle();
    script.deliver(held, 2, 1);
    await timing.advance(49);
    expect(calls).toHaveLength(1);
    await timing.advance(1);
    expect(offsets(1)).toBe('0:0 0:1');
    calls[1]?.refuse(new TypeError('broken'));
    await timing.advance(99);
    expect(calls).toHaveLength(2);
    expect(script.commits).toEqual([]);
    await timing.advance(1);
    calls[2]?.answer();
    await timing.advance(50);
    expect(script.commits.at(-1)?.next).toBe(2n);
    expect(offsets(3)).toBe('0:2');
    expect(reported).toHaveLength(2);
  });

  it('repeats a batch that was answered with too few outcomes', async () => {
    const { script, log, timing, reported } = open();
    let calls = 0;
    await log.consume(consumer(async (records) => (++calls === 1 ? [] : records.map(() => done))));
    script.deliver(script.assign(0, 1n), 0, 1);
    await timing.advance(200);
    expect(calls).toBe(2);
    expect(reported[0]).toMatchObject({ code: 'event_log.outcomes_incomplete' });
    expect(script.commits.at(-1)?.next).toBe(1n);
  });

  it('drops the late result of a partition that was lost and came back', async () => {
    const { script, log, timing } = open();
    const { calls, handle, offsets } = answering();
    await log.consume(consumer(handle));
    script.deliver(script.assign(0, 1n), 0, 3);
    await settle();
    await script.events.revoked([{ topic: 'topic', partition: 0 }], 'lost');
    script.deliver(script.assign(0, 2n), 0, 1);
    calls[0]?.answer();
    await timing.advance(100);
    expect(script.commits).toEqual([]);
    expect(offsets(1)).toBe('0:0');
    calls[1]?.answer();
    await timing.advance(100);
    expect(script.commits).toEqual([{ topic: 'topic', partition: 0, epoch: 2n, next: 1n }]);
  });

  it('finishes and commits what is in hand before it lets a partition go', async () => {
    const { script, log } = open();
    const { calls, handle } = answering();
    await log.consume(consumer(handle, 2));
    script.deliver(script.assign(0, 1n), 0, 5);
    await settle();
    let isReleased = false;
    void script.events.revoked([{ topic: 'topic', partition: 0 }], 'release').then(() => (isReleased = true));
    await settle();
    expect(isReleased).toBe(false);
    calls[0]?.answer();
    await settle();
    expect(isReleased).toBe(true);
    expect(script.commits.at(-1)?.next).toBe(2n);
    expect(calls).toHaveLength(1);
  });

  it('waits for what is in hand no longer than allowed', async () => {
    const { script, log, timing } = open();
    const { handle } = answering();
    await log.consume(consumer(handle));
    script.deliver(script.assign(0, 1n), 0, 1);
    await settle();
    let isReleased = false;
    void script.events.revoked([{ topic: 'topic', partition: 0 }], 'release').then(() => (isReleased = true));
    await timing.advance(5_000);
    expect(isReleased).toBe(true);
    expect(script.commits).toEqual([]);
  });

  it('commits again later when the log is away, and forgets what another member holds', async () => {
    const { script, log, timing } = open();
    const { calls, handle, offsets } = answering();
    await log.consume(consumer(handle));
    script.commitFailures.push(LogUnavailable.because('away'), Fenced.because('theirs', { partitions: ['topic/0'] }));
    const held = script.assign(0, 1n);
    script.deliver(held, 0, 1);
    await settle();
    calls[0]?.answer();
    await timing.advance(1_000);
    script.deliver(held, 1, 1);
    await settle();
    expect(script.commitFailures).toEqual([]);
    expect(offsets(1)).toBe('no call');
  });

  it('starts nothing of a paused topic until it is resumed', async () => {
    const { script, log } = open();
    const { calls, handle } = answering();
    const consumption = await log.consume(consumer(handle));
    consumption.pause(['topic']);
    script.deliver(script.assign(0, 1n), 0, 1);
    await settle();
    expect(calls).toHaveLength(0);
    expect(script.paused.has('topic/0')).toBe(true);
    consumption.resume(['topic']);
    await settle();
    expect(calls).toHaveLength(1);
    expect(script.paused.size).toBe(0);
  });
});

describe('a per-key consumer', () => {
  function perKey(maxInFlight: number) {
    const started: string[] = [];
    const finish = new Map<string, (outcome: RecordOutcome | Error) => void>();
    const consumer = {
      mode: 'per-key',
      group: 'group',
      topics: ['topic'],
      maxInFlight,
      orderingKey: (record: StoredRecord) => record.key?.toString() ?? '',
      handleRecord: (record: StoredRecord) =>
        new Promise<RecordOutcome>((resolve, reject) => {
          started.push(String(record.offset));
          finish.set(String(record.offset), (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
        }),
    } as const;
    return { consumer, started, finish: (offset: number, outcome: RecordOutcome | Error = done) => finish.get(String(offset))?.(outcome) };
  }

  it('runs different keys at once, one key in order, and no more than it may', async () => {
    const { script, log } = open();
    const { consumer, started, finish } = perKey(2);
    await log.consume(consumer);
    script.deliver(script.assign(0, 1n), 0, 4, (offset) => ['a', 'a', 'b', 'c'][offset] ?? '');
    await settle();
    expect(started).toEqual(['0', '2']);
    finish(0);
    await settle();
    expect(started).toEqual(['0', '2', '3']);
    finish(2);
    await settle();
    expect(started).toEqual(['0', '2', '3', '1']);
  });

  it('lets other keys use the place of one whose record is being repeated', async () => {
    const { script, log, timing } = open();
    const { consumer, started, finish } = perKey(1);
    await log.consume(consumer);
    script.deliver(script.assign(0, 1n), 0, 3, (offset) => (offset === 2 ? 'b' : 'a'));
    await settle();
    finish(0, new Error('not now'));
    await settle();
    expect(started).toEqual(['0', '2']);
    finish(2);
    await timing.advance(50);
    expect(started).toEqual(['0', '2', '0']);
    finish(0);
    await timing.advance(50);
    expect(started.at(-1)).toBe('1');
    expect(script.commits.at(-1)?.next).toBe(1n);
  });

  it('pauses a partition whose gap between committed and delivered is full, and resumes it at half', async () => {
    const { script, log } = open({ gapLimit: 10 });
    const { consumer, finish } = perKey(100);
    await log.consume(consumer);
    const held = script.assign(0, 1n);
    script.deliver(held, 0, 9);
    await settle();
    expect(script.paused.size).toBe(0);
    script.deliver(held, 9, 1);
    await settle();
    expect(script.paused.has('topic/0')).toBe(true);
    for (let offset = 1; offset < 10; offset += 1) finish(offset);
    await settle();
    expect(script.paused.has('topic/0')).toBe(true);
    finish(0);
    await settle();
    expect(script.paused.size).toBe(0);
  });

  it('puts a dead letter on its topic, with the reason, before it passes the record', async () => {
    const { script, log, timing } = open();
    const { consumer, finish } = perKey(1);
    await log.consume(consumer);
    script.deliver(script.assign(3, 1n), 7, 1);
    await settle();
    finish(7, { kind: 'dead-letter', code: 'event.broken', reason: 'no JSON' });
    await timing.advance(50);
    const [letter] = script.appended;
    expect(letter?.topic).toBe('dead-letters');
    expect(Object.fromEntries(letter?.record.headers.map(([name, value]) => [name, value.toString()]) ?? [])).toMatchObject({
      'x-dlq-topic': 'topic',
      'x-dlq-partition': '3',
      'x-dlq-offset': '7',
      'x-dlq-code': 'event.broken',
      'x-dlq-reason': 'no JSON',
      'x-dlq-group': 'group',
    });
    expect(script.commits.at(-1)?.next).toBe(8n);
  });

  it('finishes what runs and starts nothing when it is stopped', async () => {
    const { script, log } = open();
    const { consumer, started, finish } = perKey(2);
    const consumption = await log.consume(consumer);
    script.deliver(script.assign(0, 1n), 0, 5);
    await settle();
    const stopping = consumption.stop(1_000);
    finish(0);
    finish(1);
    await stopping;
    expect(started).toEqual(['0', '1']);
    expect(script.commits.at(-1)?.next).toBe(2n);
  });
});
