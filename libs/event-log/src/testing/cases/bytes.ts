import { randomBytes } from 'node:crypto';
import type { LogRecord, StoredRecord } from '../../port.js';
import { expectThat, record, type Lab } from '../lab.js';
import type { Case } from './case.js';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, index) => index));

export const byteCases: readonly Case[] = [
  {
    promise: 'keeps a null value null and an empty one empty, with and without a key',
    wrong: 'empties-null',
    run: (lab) =>
      roundTrips(lab, [
        { key: Buffer.from('a'), value: null, headers: [] },
        { key: null, value: null, headers: [['kind', Buffer.from('tombstone')]] },
        { key: Buffer.from('a'), value: Buffer.alloc(0), headers: [] },
        { key: Buffer.from('a'), value: Buffer.from('text'), headers: [] },
      ]),
  },
  {
    promise: 'keeps every byte of keys, values and headers',
    wrong: 'reads-headers-as-text',
    run: (lab) => roundTrips(lab, [{ key: everyByte, value: everyByte, headers: [['bytes', everyByte], ['empty', Buffer.alloc(0)], ['ünïcode', Buffer.from('ß')]] }]),
  },
  {
    promise: 'keeps headers with the same name, in their order',
    wrong: 'keeps-one-header-per-name',
    run: (lab) => roundTrips(lab, [record('a', 'x', [['dup', Buffer.from('1')], ['dup', everyByte], ['dup', Buffer.from('1')]])]),
  },
  { promise: 'carries records of 1 MB', wrong: 'cuts-large-values', run: (lab) => roundTrips(lab, [1, 2, 3].map((key) => ({ key: Buffer.from([key]), value: randomBytes(1_000_000), headers: [] }))) },
];

/** Appended by one log and read by it as well as by another, which has to read it back from the engine. */
async function roundTrips(lab: Lab, records: readonly LogRecord[]): Promise<void> {
  const [writer, other] = [await lab.log(), await lab.log()];
  const topic = await lab.topic(writer);
  const seen = await Promise.all(
    [writer, other].map(async (log) => {
      const stored: StoredRecord[] = [];
      await log.consume({ mode: 'batch', group: lab.name('group'), topics: [topic], maxRecords: 100, handleBatch: async (batch) => batch.map((one) => (stored.push(one), { kind: 'done' })) });
      return stored;
    }),
  );
  const positions = await writer.append(topic, records);
  await lab.eventually(() => seen.every((stored) => stored.length >= records.length), () => `${seen.map((stored) => stored.length).join(' and ')} of ${records.length} came`);
  for (const stored of seen) {
    positions.forEach(({ partition, offset }, index) => {
      const found = stored.find((one) => one.partition === partition && one.offset === offset);
      const sent = records[index];
      expectThat(found !== undefined && sent !== undefined && fingerprint(found) === fingerprint(sent), () => `record ${index} came as ${found && fingerprint(found).slice(0, 200)}`);
    });
  }
}

function fingerprint({ key, value, headers }: LogRecord): string {
  const hex = (bytes: Buffer | null): string => (bytes === null ? 'null' : `<${bytes.toString('hex')}>`);
  return `${hex(key)} ${headers.map(([name, bytes]) => `${name}=${hex(bytes)}`).join()} ${hex(value)}`;
}
