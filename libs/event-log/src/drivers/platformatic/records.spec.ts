import { IS_CONTROL, IS_TRANSACTIONAL, type KafkaRecord, type RecordsBatch } from '@platformatic/kafka';
import { readPartition } from './records.js';

const LOG_APPEND_TIME = 8;
const COMMITTED = 1;
const ABORTED = 0;

describe('what a fetch brought', () => {
  it('begins at the offset asked for, although a batch comes whole', () => {
    expect(read([batch(0n, ['a', 'b', 'c'])], { from: 1n })).toEqual({ values: ['1 b', '2 c'], next: 3n });
  });

  it('carries the time of the broker where the topic is set so, and the time of the writer elsewhere', () => {
    const times = (attributes: number) => readPartition('t', partition([batch(0n, ['a', 'b'], { attributes })]), 0n).records.map(({ appendedAtMs }) => appendedAtMs);
    expect(times(LOG_APPEND_TIME)).toEqual([9_000, 9_000]);
    expect(times(0)).toEqual([1_000, 1_001]);
  });

  it('leaves out what a transaction took back, its markers, and nothing else; reading goes on behind them', () => {
    const batches = [
      batch(0n, ['plain']),
      batch(1n, ['taken back'], { producerId: 7n, attributes: IS_TRANSACTIONAL }),
      batch(2n, ['kept'], { producerId: 8n, attributes: IS_TRANSACTIONAL }),
      marker(3n, 7n, ABORTED),
      marker(4n, 8n, COMMITTED),
      batch(5n, ['the same producer, later'], { producerId: 7n, attributes: IS_TRANSACTIONAL }),
      marker(6n, 7n, COMMITTED),
    ];
    expect(read(batches, { aborted: [{ producerId: 7n, firstOffset: 1n }] })).toEqual({ values: ['0 plain', '2 kept', '5 the same producer, later'], next: 7n });
  });

  it('of nothing is nothing', () => {
    expect(readPartition('t', { ...partition([]), records: null }, 5n)).toEqual({ records: [], next: 5n });
  });
});

function read(batches: RecordsBatch[], { from = 0n, aborted = [] as { producerId: bigint; firstOffset: bigint }[] } = {}) {
  const { records, next } = readPartition('t', { ...partition(batches), abortedTransactions: aborted }, from);
  return { values: records.map(({ offset, value }) => `${offset} ${String(value)}`), next };
}

function partition(records: RecordsBatch[]) {
  return { partitionIndex: 0, errorCode: 0, highWatermark: 10n, lastStableOffset: 10n, logStartOffset: 0n, abortedTransactions: null, preferredReadReplica: -1, records };
}

function batch(firstOffset: bigint, values: readonly string[], { attributes = 0, producerId = -1n } = {}): RecordsBatch {
  const records = values.map((value, index): KafkaRecord => ({ length: 0, attributes: 0, timestampDelta: BigInt(index), offsetDelta: index, key: null, value: Buffer.from(value), headers: [] }));
  return { firstOffset, length: 0, partitionLeaderEpoch: 0, magic: 2, crc: 0, attributes, lastOffsetDelta: values.length - 1, firstTimestamp: 1_000n, maxTimestamp: 9_000n, producerId, producerEpoch: 0, firstSequence: 0, records };
}

/** The key of a marker: version, then what became of the transaction (Kafka, ControlRecordType). */
function marker(firstOffset: bigint, producerId: bigint, fate: number): RecordsBatch {
  const whole = batch(firstOffset, [''], { attributes: IS_CONTROL | IS_TRANSACTIONAL, producerId });
  return { ...whole, records: whole.records.map((record) => ({ ...record, key: Buffer.from([0, 0, 0, fate]) })) };
}
