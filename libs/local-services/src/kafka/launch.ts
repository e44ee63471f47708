import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOG_FILE, PROPERTIES_FILE, signal, spawnBroker, stopOrphan, type BrokerProcess } from './broker-process.js';
import { StartFailed } from './errors.js';
import { freePort, isListening, LOOPBACK } from '../free-port.js';
import { serverProperties } from './properties.js';

export interface KafkaOptions {
  /** Records, log and pid file live here; starting again on the same folder continues with the same data, also on other ports. */
  readonly dataDir: string;
  readonly port?: number;
  readonly controllerPort?: number;
  /** Where clients are sent after bootstrap; a fault proxy's port, when one stands between. */
  readonly advertisedPort?: number;
  readonly cacheDir?: string;
  readonly onProgress?: (message: string) => void;
}

export interface LocalKafka {
  readonly brokers: readonly string[];
  readonly port: number;
  readonly pid: number;
  /** Resolves with the exit code once the broker is gone, whoever ended it. */
  readonly exited: Promise<number>;
  /** SIGTERM; data is closed cleanly. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/** Free ports can be taken between looking and binding, so chosen ones are tried again, given ones are not. */
export async function startPrepared(options: KafkaOptions, cacheFolder: string, javaFlags: readonly string[]): Promise<LocalKafka> {
  const { dataDir } = options;
  mkdirSync(dataDir, { recursive: true });
  if (await stopOrphan(dataDir)) options.onProgress?.('stopped a Kafka broker that an earlier run had left behind');
  installTemplate(cacheFolder, dataDir);
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    const controllerPort = options.controllerPort ?? (await freePort());
    writeFileSync(join(dataDir, PROPERTIES_FILE), serverProperties({ dataDir, port, controllerPort, advertisedPort: options.advertisedPort ?? port }));
    const broker = spawnBroker(cacheFolder, dataDir, javaFlags);
    if (await isReady(broker, port)) return localKafka(broker, port);
    await end(broker);
    if (attempt === 3 || options.port !== undefined) throw StartFailed.because(lastLines(dataDir), { port, dataDir });
  }
}

/** Formatting is a template copied from the cache (0.9 s saved); a copy that was cut short is replaced, for records exist only after it. */
function installTemplate(cacheFolder: string, dataDir: string): void {
  const target = join(dataDir, 'data');
  if (existsSync(target)) return;
  const partial = join(dataDir, 'data.partial');
  rmSync(partial, { recursive: true, force: true });
  cpSync(join(cacheFolder, 'template'), partial, { recursive: true });
  renameSync(partial, target);
}

async function isReady(broker: BrokerProcess, port: number): Promise<boolean> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await sleep(10)) {
    if (broker.hasExited()) return false;
    if (broker.pid() !== null && (await isListening(port))) return !broker.hasExited();
  }
  return false;
}

function localKafka(broker: BrokerProcess, port: number): LocalKafka {
  const pid = broker.pid() ?? 0;
  return {
    brokers: [`${LOOPBACK}:${port}`],
    port,
    pid,
    exited: broker.exited,
    stop: () => end(broker),
    kill: async () => {
      if (!broker.hasExited() && pid > 0) signal(pid, 'SIGKILL');
      await broker.exited;
    },
  };
}

async function end(broker: BrokerProcess): Promise<void> {
  if (broker.hasExited()) return;
  broker.child.stdin?.end();
  const isOver = await Promise.race([broker.exited.then(() => true), sleep(15_000, false, { ref: false })]);
  const pid = broker.pid();
  if (!isOver && pid !== null) signal(pid, 'SIGKILL');
  await broker.exited;
}

function lastLines(dataDir: string): string {
  const file = join(dataDir, LOG_FILE);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  return lines.length === 0 ? 'it ended without a word' : lines.slice(-15).join('\n');
}
