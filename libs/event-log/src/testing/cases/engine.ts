import { setTimeout as wait } from 'node:timers/promises';
import { LogUnavailable } from '../../errors.js';
import { partitionOf } from '../../partitioner.js';
import type { StoredRecord } from '../../port.js';
import { expectThat, gate, record, sumOf, textOf, type Lab } from '../lab.js';
import { type Case, keyOf, perKey, totalLag } from './case.js';

const topicPartitions = 4;

export const engineCases: readonly Case[] = [
  { promise: 'shows a tailing reader every record of eight writers that pause and roll back, none passed over', wrong: 'passes-records-over', run: tailsWriters },
  { promise: 'comes back by itself after the server was away, with everything it acknowledged', wrong: 'acknowledges-what-failed', run: survivesOutage },
  { promise: 'removes nothing by retention that a live group has not committed', wrong: 'forgets-what-is-unread', run: retainsUnread },
  { promise: 'tells lag, oldest unread time and topic figures', wrong: 'miscounts', run: tellsFigures },
];

async function tailsWriters(lab: Lab): Promise<void> {
  const reader = await lab.log();
  const topic = await lab.topic(reader, topicPartitions);
  const seen: StoredRecord[] = [];
  const turnsWhileRead = 40;
  await reader.consume({ mode: 'batch', group: lab.name('group'), topics: [topic], maxRecords: 50, handleBatch: async (records) => records.map((stored) => (seen.push(stored), { kind: 'done' })) });
  const committed: string[] = [];
  const write = async (writer: number): Promise<void> => {
    // Counted from the first record that was seen: a reader that comes when all is written has nothing to pass over.
    for (let [turn, counted] = [0, 0]; counted < turnsWhileRead; turn += 1) {
      if (seen.length > 0) counted += 1;
      expectThat(turn < 50 * turnsWhileRead, () => 'nothing is read');
      const value = `${writer}:${turn}`;
      const isRolledBack = (turn * 7 + writer) % 4 === 0;
      // Two keys per writer, so that writers share partitions.
      await lab.harness.writeRudely(topic, record(`key-${writer}-${turn % 2}`, value), { pause: () => wait(Math.random() * 12), isRolledBack });
      if (!isRolledBack) committed.push(value);
      await wait(Math.random() * 4);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
  committed.push(...(await writeOvertaken(lab, topic, (value) => seen.some((stored) => textOf(stored) === value))));
  await lab.eventually(() => seen.length >= committed.length, () => `${seen.length} of ${committed.length} seen; missing ${committed.filter((value) => !seen.some((stored) => textOf(stored) === value)).join()}`);
  expectThat([...seen.map(textOf)].sort().join() === [...committed].sort().join(), () => 'other records were seen than committed');
  for (const [partition, records] of Map.groupBy(seen, (stored) => stored.partition)) {
    const offsets = records.map(({ offset }) => offset);
    expectThat(offsets.every((offset, index) => index === 0 || offset > (offsets[index - 1] ?? 0n)), () => `partition ${partition} came out of order`);
    expectThat(!lab.harness.hasGaplessOffsets || offsets.every((offset, index) => offset === BigInt(index)), () => `partition ${partition} has a gap: ${offsets.join()}`);
    expectThat(records.every((stored, index) => index === 0 || stored.appendedAtMs >= (records[index - 1]?.appendedAtMs ?? 0)), () => `append times of partition ${partition} fall`);
  }
  for (const [key, records] of Map.groupBy(seen, keyOf)) {
    const turns = records.map((stored) => Number(textOf(stored).split(':')[1]));
    expectThat(turns.every((turn, index) => index === 0 || turn > (turns[index - 1] ?? 0)), () => `${key} came as ${turns.join()}`);
  }
}

/** One writer has its place in the partition, and commits only when the next one's record was seen or has had a second to be. */
async function writeOvertaken(lab: Lab, topic: string, isSeen: (value: string) => boolean): Promise<readonly string[]> {
  const partition = partitionOf(Buffer.from('late'), topicPartitions);
  const key = Array.from({ length: 100 }, (_, index) => `later-${index}`).find((candidate) => partitionOf(Buffer.from(candidate), topicPartitions) === partition) ?? '';
  let next: Promise<void> | undefined;
  const pause = async (): Promise<void> => {
    next = lab.harness.writeRudely(topic, record(key, 'later:0'), { pause: () => Promise.resolve(), isRolledBack: false });
    for (const giveUpAt = performance.now() + 1_000; !isSeen('later:0') && performance.now() < giveUpAt; ) await wait(10);
  };
  await lab.harness.writeRudely(topic, record('late', 'late:0'), { pause, isRolledBack: false });
  await next;
  return ['late:0', 'later:0'];
}

async function survivesOutage(lab: Lab): Promise<void> {
  const log = await lab.log('impatient');
  const topic = await lab.topic(log);
  const group = lab.name('group');
  const seen = new Set<string>();
  const consumption = await log.consume(perKey(group, topic, async (stored) => void seen.add(textOf(stored))));
  const acknowledged: string[] = [];
  const rejections: unknown[] = [];
  const end = gate();
  let isEnding = false;
  void end.opened.then(() => (isEnding = true));
  const produce = async (producer: number): Promise<void> => {
    for (let turn = 0; !isEnding; turn += 1) {
      const value = `${producer}:${turn}`;
      try {
        await log.append(topic, [record(`key-${producer}-${turn % 5}`, value)]);
        acknowledged.push(value);
      } catch (error) {
        rejections.push(error);
        await wait(50);
      }
      await wait(5);
    }
  };
  const producing = Promise.all([0, 1, 2, 3].map(produce));
  await lab.eventually(() => acknowledged.length >= 20, () => `${acknowledged.length} acknowledged before the outage`);
  await lab.harness.stopServer();
  // Long enough that something was under way; engines may hold appends back instead of refusing them.
  await wait(500);
  await lab.harness.startServer();
  const before = acknowledged.length;
  await lab.eventually(() => acknowledged.length >= before + 20, () => `${acknowledged.length - before} acknowledged after the outage; last refusal ${String(rejections.at(-1))}`, 60_000);
  end.open();
  await producing;
  const missing = (): string[] => acknowledged.filter((value) => !seen.has(value));
  await lab.eventually(() => missing().length === 0, () => `acknowledged and never seen: ${missing().slice(0, 20).join()}`, 60_000);
  expectThat(rejections.every((error) => LogUnavailable.matches(error)), () => `refused with ${String(rejections.find((error) => !LogUnavailable.matches(error)))}`);
  await lab.eventually(async () => (await totalLag(log, group)) === 0n, () => 'not all is committed after the outage');
  await lab.eventually(() => consumption.health().ready, () => `not ready: ${consumption.health().reason}`);
}

async function retainsUnread(lab: Lab): Promise<void> {
  const log = await lab.log();
  const topic = await lab.topic(log);
  const [quick, slow] = [lab.name('quick'), lab.name('slow')];
  const held = gate();
  let slowCount = 0;
  // The slow group is known and has committed a little of what there was.
  const slowOne = await log.consume(
    perKey(slow, topic, async () => {
      slowCount += 1;
      if (slowCount > 8) await held.opened;
    }),
  );
  await log.append(topic, Array.from({ length: 80 }, (_, index) => record(`key-${index % 16}`, String(index))));
  await log.consume(perKey(quick, topic, async () => undefined));
  await lab.eventually(async () => (await totalLag(log, quick)) === 0n, () => 'the quick group has not read all');
  await lab.eventually(() => slowCount >= 16, () => `the slow group has ${slowCount} in hand`);
  const stopping = slowOne.stop(10_000);
  held.open();
  await stopping;
  const unread = await totalLag(log, slow);
  expectThat(unread > 0n, () => 'the slow group has read everything');
  await lab.applyRetention([quick, slow]);
  const rest = new Set<string>();
  const other = await lab.log();
  await other.consume(perKey(slow, topic, async (stored) => void rest.add(textOf(stored))));
  await lab.eventually(async () => (await totalLag(other, slow)) === 0n, () => 'the slow group does not reach the end');
  expectThat(BigInt(rest.size) === unread, () => `${rest.size} of ${unread} unread records were still there`);
}

async function tellsFigures(lab: Lab): Promise<void> {
  const log = await lab.log();
  const topic = await lab.topic(log);
  const group = lab.name('group');
  await log.append(topic, Array.from({ length: 30 }, (_, index) => record(`key-${index}`, String(index))));
  const reader = await log.consume(perKey(group, topic, async () => undefined));
  await lab.eventually(async () => (await log.lag(group)).length === 4 && (await totalLag(log, group)) === 0n, () => 'the group does not come to the end');
  expectThat((await log.lag(group)).every(({ oldestUnreadAtMs }) => oldestUnreadAtMs === null), () => 'something is unread where nothing is');
  await reader.stop(5_000);
  const positions = await log.append(topic, Array.from({ length: 12 }, (_, index) => record(`key-${index % 3}`, `late ${index}`)));
  const lag = await log.lag(group);
  expectThat(sumOf(lag.map((one) => one.lag)) === 12n, () => `lag ${lag.map((one) => one.lag).join()}`);
  expectThat(lag.every((one) => one.endOffset - one.committed === one.lag), () => 'lag is not what lies between');
  const stored: StoredRecord[] = [];
  await log.consume(perKey(group, topic, async (one) => void stored.push(one)));
  await lab.eventually(() => new Set(stored.map(textOf)).size === 12, () => `${stored.length} of 12 came`);
  for (const { partition, oldestUnreadAtMs } of lag) {
    const oldest = stored.filter((one) => one.partition === partition).map((one) => one.appendedAtMs);
    const expected = positions.some((position) => position.partition === partition) ? Math.min(...oldest) : null;
    expectThat(oldestUnreadAtMs === expected, () => `oldest unread of partition ${partition}: ${oldestUnreadAtMs}, appended ${expected}`);
  }
  const figures = (await log.topics()).find((one) => one.topic === topic);
  expectThat(figures?.partitions === 4 && (figures.records === 42n || !lab.harness.hasGaplessOffsets), () => `figures: ${figures?.partitions} partitions, ${figures?.records} records`);
  expectThat(figures?.bytes === null || (figures?.bytes ?? 0n) > 0n, () => 'the topic has no bytes');
  await log.ping();
}
