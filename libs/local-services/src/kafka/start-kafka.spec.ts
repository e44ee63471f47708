import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, Partitioners, logLevel } from 'kafkajs';
import { DIE_WITH_PARENT, PID_FILE } from './broker-process.js';
import { describeWithLocalKafka } from './describe-with-local-kafka.js';
import { isListening } from '../free-port.js';
import { prepareKafka } from './prepare-kafka.js';
import { startKafka } from './start-kafka.js';

jest.setTimeout(300_000);

describeWithLocalKafka('a local Kafka broker', () => {
  let dataDir = '';

  beforeAll(async () => {
    await prepareKafka();
  });

  beforeEach(() => {
    // A space in the path: people keep projects in such folders.
    dataDir = join(mkdtempSync(join(tmpdir(), 'trunkline kafka ')), 'data');
  });

  afterEach(() => rmSync(join(dataDir, '..'), { recursive: true, force: true }));

  it('keeps its records over a clean stop and over kill -9, also on another port', async () => {
    const first = await startKafka({ dataDir });
    await produce(first.brokers, 'before the stop');
    await first.stop();
    expect(await isListening(first.port)).toBe(false);

    const second = await startKafka({ dataDir });
    await produce(second.brokers, 'before the kill');
    await second.kill();
    await expect(second.exited).resolves.toBe(137);

    const third = await startKafka({ dataDir });
    expect(await count(third.brokers)).toBe(2);
    await third.stop();
  });

  it('stops a broker that a killed start left on the same folder, and leaves a stranger with the same pid alone', async () => {
    const left = await startKafka({ dataDir });
    const next = await startKafka({ dataDir });
    await expect(left.exited).resolves.toBe(143);
    await next.stop();

    writeFileSync(join(dataDir, PID_FILE), `${process.pid}\n`);
    const third = await startKafka({ dataDir });
    expect(third.pid).not.toBe(process.pid);
    await third.stop();
  });

  it('ends with the process that started it, when that is killed', async () => {
    const parent = spawn(process.execPath, ['--input-type=module', '-e', PARENT], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '', SHELL_LINE: DIE_WITH_PARENT, PIDFILE: join(dataDir, '..', 'pid') } });
    const pid = Number(String((await once(parent.stdout, 'data'))[0]));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isAlive(pid));
  });

  it('says what to install when Java or Maven is missing', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = dataDir;
    try {
      await expect(prepareKafka({ cacheDir: join(dataDir, 'cache') })).rejects.toMatchObject({ code: 'kafka_local.java_missing' });
    } finally {
      process.env['PATH'] = path;
    }
  });
});

/** Stands in for a test run: `java` on its PATH is a sleeping program, for what is tested is the shell line around it. */
const PARENT = `
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const bin = process.env.PIDFILE + '-bin';
mkdirSync(bin);
writeFileSync(bin + '/java', '#!/bin/sh\\nexec sleep 1000\\n', { mode: 0o755 });
spawn('sh', ['-c', process.env.SHELL_LINE, 'sh'], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: { ...process.env, PATH: bin + ':' + process.env.PATH } });
const timer = setInterval(() => {
  const pid = existsSync(process.env.PIDFILE) ? readFileSync(process.env.PIDFILE, 'utf8').trim() : '';
  if (pid !== '') { clearInterval(timer); console.log(pid); setInterval(() => undefined, 1000); }
}, 10);
`;

const topic = 'kept';

function client(brokers: readonly string[]): Kafka {
  return new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 20, maxRetryTime: 500 } });
}

async function produce(brokers: readonly string[], value: string): Promise<void> {
  const kafka = client(brokers);
  const [admin, producer] = [kafka.admin(), kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })];
  await Promise.all([admin.connect(), producer.connect()]);
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await producer.send({ topic, messages: [{ value }] });
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}

async function count(brokers: readonly string[]): Promise<number> {
  const admin = client(brokers).admin();
  await admin.connect();
  const [partition] = await admin.fetchTopicOffsets(topic);
  await admin.disconnect();
  return Number(partition?.high);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: gone.
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 60_000; !condition(); await sleep(20)) {
    if (performance.now() > deadline) throw new Error('it did not happen within a minute');
  }
}
