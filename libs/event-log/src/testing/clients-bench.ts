/**
 * The two Kafka clients at the log itself, one broker, one process: `node libs/event-log/dist/testing/clients-bench.js load|outage kafkajs|platformatic`.
 * `load`: 100 single records a second, then nothing, then 40,000 in appends of 100. `outage`: 64 writers while the broker is killed and comes back after 3 s.
 * Prints one line of JSON. Processor time is what to trust on a machine that does other things too.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startKafka, type LocalKafka } from '@trunkline/local-services';
import { createKafkaDriver, type KafkaClientName } from '../drivers/kafka/kafka-driver.js';
import { createEventLog } from '../event-log.js';
import type { EventLog, LogRecord, StoredRecord } from '../port.js';

const topics = ['t1', 't2', 't3', 't4'];
const hourMs = 3_600_000;

async function load(client: KafkaClientName, broker: LocalKafka): Promise<object> {
  const log = open(client, broker, 20_000);
  const delays: number[] = [];
  let read = 0;
  await prepare(log, (records) => {
    for (const { value } of records) if (sentAt(value) > 0) delays.push(performance.now() - sentAt(value));
    read += records.length;
  });
  await oneByOne(log, { seconds: 4, perSecond: 200 });
  delays.length = 0;
  const single = await metered(broker, 800, () => oneByOne(log, { seconds: 8, perSecond: 100 }));
  const idle = await metered(broker, 4, () => wait(4_000));
  const before = read;
  let left = 400;
  const bulk = await metered(broker, 40, async () => {
    const write = async (topic: string): Promise<void> => {
      while ((left -= 1) >= 0) await log.append(topic, Array.from({ length: 100 }, () => recordOf(0)));
    };
    await Promise.all(topics.map(write));
    while (read < before + 40_000) await wait(5);
  });
  await log.close();
  return { appendToReadMs: { p50: quantile(delays, 0.5), p95: quantile(delays, 0.95) }, cpuMsPerRecord: single.cpuMs, cpuMsPerIdleSecond: idle.cpuMs, cpuMsPer1000InBulk: bulk.cpuMs, bulkPerSecond: Math.round(40_000_000 / bulk.tookMs), rssMiB: rssMiB() };
}

async function outage(client: KafkaClientName, broker: LocalKafka, restart: () => Promise<LocalKafka>): Promise<object> {
  const log = open(client, broker, 2_000);
  const delivered = new Map<string, number>();
  let lastReadAt = 0;
  await prepare(log, (records) => {
    lastReadAt = performance.now();
    for (const { value } of records) delivered.set(String(value), (delivered.get(String(value)) ?? 0) + 1);
  });
  const acknowledged: { readonly value: string; readonly at: number }[] = [];
  const run = { isEnding: false, refused: 0 };
  const writing = Promise.all(Array.from({ length: 64 }, (_, writer) => keepWriting(log, writer, run, acknowledged)));
  await wait(3_000);
  const rssBefore = rssMiB();
  let rssPeak = 0;
  const sampler = setInterval(() => (rssPeak = Math.max(rssPeak, rssMiB())), 50);
  const diedAt = performance.now();
  await broker.kill();
  await wait(3_000);
  const startedAt = performance.now();
  await restart();
  const upAt = performance.now();
  const since = (): { readonly at: number } | undefined => acknowledged.find(({ at }) => at > startedAt);
  while ((since() === undefined || lastReadAt < upAt) && performance.now() < upAt + 60_000) await wait(2);
  const readAgainMs = Math.round(lastReadAt - upAt);
  await wait(3_000);
  run.isEnding = true;
  await writing;
  clearInterval(sampler);
  for (let turn = 0; turn < 200 && acknowledged.some(({ value }) => !delivered.has(value)); turn += 1) await wait(100);
  const stored = (await log.topics()).reduce((sum, { records }) => sum + Number(records), 0);
  await log.close();
  return {
    acknowledged: acknowledged.length, stored, refused: run.refused, lost: acknowledged.filter(({ value }) => !delivered.has(value)).length, deliveredTwice: [...delivered.values()].filter((count) => count > 1).length,
    acknowledgedWhileDown: acknowledged.filter(({ at }) => at > diedAt + 100 && at < startedAt).length, appendAgainMs: Math.round((since()?.at ?? Number.NaN) - upAt), readAgainMs, rssBeforeMiB: rssBefore, rssPeakMiB: rssPeak,
  };
}

async function keepWriting(log: EventLog, writer: number, run: { isEnding: boolean; refused: number }, acknowledged: { readonly value: string; readonly at: number }[]): Promise<void> {
  for (let turn = 0; !run.isEnding; turn += 1) {
    const values = Array.from({ length: 10 }, (_, index) => `${writer}:${turn}:${index}`.padEnd(1_000));
    try {
      await log.append('t1', values.map((value) => ({ key: Buffer.from(value.slice(0, 20)), value: Buffer.from(value), headers: [] })));
      acknowledged.push(...values.map((value) => ({ value, at: performance.now() })));
    } catch {
      run.refused += 1;
      await wait(20);
    }
    await wait(5);
  }
}

function open(client: KafkaClientName, { brokers }: LocalKafka, appendTimeoutMs: number): EventLog {
  return createEventLog(createKafkaDriver({ client, brokers, appendTimeoutMs }));
}

/** As the platform has it: several consumers, each with its own group. */
async function prepare(log: EventLog, take: (records: readonly StoredRecord[]) => void): Promise<void> {
  await log.ensureTopics(topics.map((name) => ({ name, partitions: 6, retentionMs: hourMs })));
  for (const topic of topics) {
    await log.consume({ mode: 'batch', group: `g-${topic}`, topics: [topic], maxRecords: 500, handleBatch: (records) => {
      take(records);
      return Promise.resolve(records.map(() => ({ kind: 'done' as const })));
    } });
  }
}

/** Open-loop: each record has its time beforehand. */
async function oneByOne(log: EventLog, { seconds, perSecond }: { readonly seconds: number; readonly perSecond: number }): Promise<void> {
  const startedAt = performance.now();
  const appends: Promise<unknown>[] = [];
  for (let count = 0; count < seconds * perSecond; count += 1) {
    await wait(Math.max(0, startedAt + (count * 1_000) / perSecond - performance.now()));
    appends.push(log.append(topics[count % topics.length] ?? 't1', [recordOf(performance.now())]));
  }
  await Promise.all(appends);
  await wait(200);
}

function recordOf(at: number): LogRecord {
  return { key: Buffer.from(String(Math.random())), value: Buffer.from(String(at).padEnd(1_000)), headers: [['ce_id', Buffer.from('abcdef')], ['ce_source', Buffer.from('/x/y')], ['traceparent', Buffer.alloc(55, 66)]] };
}

function sentAt(value: Buffer | null): number {
  return Number(value?.subarray(0, 20).toString());
}

async function metered(broker: LocalKafka, units: number, work: () => Promise<unknown>): Promise<{ readonly tookMs: number; readonly cpuMs: { readonly process: number; readonly broker: number } }> {
  const [startedAt, before, brokerBefore] = [performance.now(), process.cpuUsage(), cpuMsOf(broker.pid)];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { tookMs: performance.now() - startedAt, cpuMs: { process: rounded((user + system) / 1_000 / units), broker: rounded((cpuMsOf(broker.pid) - brokerBefore) / units) } };
}

/** Linux: clock ticks of 10 ms, user and system. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function rssMiB(): number {
  return Math.round(process.memoryUsage().rss / 1_048_576);
}

function quantile(values: readonly number[], share: number): number {
  return rounded(values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

async function main([what, client = 'kafkajs']: readonly string[]): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-clients-bench-'));
  let broker = await startKafka({ dataDir });
  const { port } = broker;
  const name: KafkaClientName = client === 'platformatic' ? client : 'kafkajs';
  const figures = what === 'outage' ? await outage(name, broker, async () => (broker = await startKafka({ dataDir, port }))) : await load(name, broker);
  process.stdout.write(`${JSON.stringify({ what, client: name, loadAverage: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]), ...figures })}\n`);
  await broker.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

void main(process.argv.slice(2));
