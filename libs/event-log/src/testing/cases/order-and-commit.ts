import { setTimeout as wait } from 'node:timers/promises';
import type { StoredRecord } from '../../port.js';
import { expectThat, gate, record, textOf, type Lab } from '../lab.js';
import { type Case, keyOf, perKey, totalLag } from './case.js';

export const orderAndCommitCases: readonly Case[] = [
  { promise: 'keeps the order of each key, over four partitions and two members', wrong: 'swaps-records', run: keepsOrder },
  { promise: 'resumes where the group committed, repeating nothing that was committed', wrong: 'forgets-commits', run: resumes },
  { promise: 'commits only the contiguous offset (P3): what is unfinished comes again', wrong: 'commits-the-highest', run: commitsContiguous },
  { promise: 'passes a poison record only once it lies unchanged in dead-letters, while other keys go on', wrong: 'loses-dead-letters', run: deadLettersPoison },
];

async function keepsOrder(lab: Lab): Promise<void> {
  const [first, second] = [await lab.log(), await lab.log()];
  const topic = await lab.topic(first);
  const group = lab.name('group');
  const seen = new Map<string, string[]>();
  const note = async (stored: StoredRecord): Promise<void> => {
    await wait(Number(stored.offset % 3n));
    const key = keyOf(stored);
    seen.set(key, [...(seen.get(key) ?? []), textOf(stored)]);
  };
  await Promise.all([first.consume(perKey(group, topic, note)), second.consume(perKey(group, topic, note))]);
  await lab.settled([first, second], 2);
  const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
  // Ten appends per key follow each other without waiting, each of two records.
  await Promise.all(keys.flatMap((key) => Array.from({ length: 10 }, (_, turn) => (turn % 2 === 0 ? first : first).append(topic, [record(key, `${turn * 2}`), record(key, `${turn * 2 + 1}`)]))));
  const count = (): number => [...seen.values()].reduce((sum, values) => sum + values.length, 0);
  await lab.eventually(() => count() >= 400, () => `${count()} of 400 handled`);
  const expected = Array.from({ length: 20 }, (_, index) => String(index)).join();
  for (const key of keys) expectThat(seen.get(key)?.join() === expected, () => `${key} came as ${seen.get(key)?.join()}`);
}

async function resumes(lab: Lab): Promise<void> {
  const first = await lab.log();
  const topic = await lab.topic(first);
  const group = lab.name('group');
  await first.append(topic, numbered(0, 100));
  const before: string[] = [];
  const consumption = await first.consume({ mode: 'batch', group, topics: [topic], maxRecords: 7, handleBatch: async (records) => records.map((stored) => (before.push(textOf(stored)), { kind: 'done' })) });
  await lab.eventually(() => before.length >= 100, () => `${before.length} of 100 handled`);
  await consumption.stop(5_000);
  await first.append(topic, numbered(100, 150));
  const second = await lab.log();
  const after: string[] = [];
  await second.consume({ mode: 'batch', group, topics: [topic], maxRecords: 500, handleBatch: async (records) => records.map((stored) => (after.push(textOf(stored)), { kind: 'done' })) });
  await lab.eventually(() => after.length >= 50, () => `${after.length} of 50 handled after the restart`);
  await lab.eventually(async () => (await totalLag(second, group)) === 0n, () => 'the rest is not committed');
  const repeated = after.filter((value) => Number(value) < 100);
  expectThat(repeated.length === 0, () => `${repeated.length} records came again though committed`);
  expectThat(new Set([...before, ...after]).size === 150, () => 'records are missing');
}

async function commitsContiguous(lab: Lab): Promise<void> {
  const first = await lab.log();
  const topic = await lab.topic(first);
  const group = lab.name('group');
  const finished: string[] = [];
  const never = gate();
  // All in one partition, each ordered by itself: the first hangs, the others finish.
  await first.append(topic, Array.from({ length: 10 }, (_, index) => record('same', `${index}`)));
  await first.consume(
    perKey(
      group,
      topic,
      async (stored) => {
        if (textOf(stored) === '0') await never.opened;
        finished.push(textOf(stored));
      },
      textOf,
    ),
  );
  await lab.eventually(() => new Set(finished).size === 9, () => `${finished.length} of 9 finished`);
  // Records of other partitions that are committed later prove that commits have been made since.
  const others = await first.append(topic, Array.from({ length: 20 }, (_, index) => record(`other-${index}`, `other-${index}`)));
  const [hanging] = (await first.lag(group)).filter(({ endOffset }) => endOffset >= 10n).map(({ partition }) => partition);
  const elsewhere = new Set(others.map(({ partition }) => partition).filter((partition) => partition !== hanging));
  await lab.eventually(
    async () => (await first.lag(group)).filter(({ partition }) => elsewhere.has(partition)).every(({ lag }) => lag === 0n),
    () => 'the other partitions are not committed',
  );
  const committed = (await first.lag(group)).find(({ partition }) => partition === hanging)?.committed;
  expectThat(committed === 0n, () => `committed ${committed} while offset 0 is unfinished`);
  await first.close();
  never.open();
  const second = await lab.log();
  const again: string[] = [];
  await second.consume(perKey(group, topic, async (stored) => void again.push(textOf(stored))));
  await lab.eventually(() => again.includes('0'), () => 'the unfinished record did not come again', lab.harness.sessionTimeoutMs * 2 + 10_000);
}

async function deadLettersPoison(lab: Lab): Promise<void> {
  const log = await lab.log();
  const topic = await lab.topic(log);
  const group = lab.name('group');
  const poison = record('bad', '\u0000{broken', [['trace', Buffer.from([0, 255, 128])], ['trace', Buffer.from('second')]]);
  await log.append(topic, [record('bad', 'before'), poison, record('bad', 'after'), ...numbered(0, 30)]);
  const finished: string[] = [];
  let attempts = 0;
  await log.consume(
    perKey(group, topic, async (stored) => {
      if (textOf(stored).startsWith('\u0000')) {
        attempts += 1;
        if (attempts < 3) throw new TypeError('a handler that breaks');
        expectThat(finished.length >= 31, () => 'other keys waited for the poison record');
        return { kind: 'dead-letter', code: 'test.poison', reason: 'it is broken' };
      }
      finished.push(textOf(stored));
      return undefined;
    }),
  );
  await lab.eventually(() => finished.includes('after'), () => `stuck after ${attempts} attempts`);
  await lab.eventually(async () => (await totalLag(log, group)) === 0n, () => 'the partition did not go on');
  const dead: StoredRecord[] = [];
  await log.consume({ mode: 'batch', group: lab.name('group'), topics: ['dead-letters'], maxRecords: 100, handleBatch: async (records) => records.map((stored) => (dead.push(stored), { kind: 'done' })) });
  const ours = (): StoredRecord | undefined => dead.find(({ headers }) => headers.some(([name, value]) => name === 'x-dlq-topic' && value.toString() === topic));
  await lab.eventually(() => ours() !== undefined, () => 'it is not on dead-letters');
  const letter = ours();
  expectThat(letter?.value?.equals(poison.value ?? Buffer.alloc(0)) === true && letter.key?.toString() === 'bad', () => 'its bytes have changed');
  expectThat(poison.headers.every(([name, value], index) => letter?.headers[index]?.[0] === name && letter.headers[index]?.[1].equals(value) === true), () => 'its headers have changed');
  const added = new Map(letter?.headers.slice(2).map(([name, value]) => [name, value.toString()]));
  expectThat(added.get('x-dlq-code') === 'test.poison' && added.get('x-dlq-reason') === 'it is broken' && added.get('x-dlq-offset') !== undefined, () => 'it does not say why');
}

function numbered(from: number, to: number) {
  return Array.from({ length: to - from }, (_, index) => record(`key-${(from + index) % 10}`, String(from + index)));
}
