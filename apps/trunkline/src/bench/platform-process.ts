import { inspect } from 'node:util';
import type { DevFile } from '../client/target.js';
import { Closing } from '../dev/closing.js';
import { defaultPorts } from '../dev/ports.js';
import { startPlatform } from '../dev/platform.js';
import type { BenchOptions } from './scenario.js';

export interface PlatformOrder {
  readonly folder: string;
  readonly options: Pick<BenchOptions, 'driver' | 'kafka' | 'latencyMs' | 'consumers'>;
}

export type PlatformWord = { readonly kind: 'ready'; readonly dev: DevFile; readonly brokers: readonly string[] | null; readonly simulators: readonly { readonly provider: string; readonly url: string; readonly dataDir: string }[] } | { readonly kind: 'consuming' } | { readonly kind: 'failed'; readonly why: string };

/** The all-in-one platform as a process of its own, so that its processor time and memory are no one else's; ends with its parent. */
const order = JSON.parse(process.argv[2] ?? '{}') as PlatformOrder;
const closing = new Closing();
const end = (): void => void closing.close().then(() => process.exit(0));
process.on('SIGINT', () => undefined).on('SIGTERM', end).on('disconnect', end);

try {
  const { driver, kafka, latencyMs, consumers } = order.options;
  const platform = await startPlatform(
    { exit: true, output: 'table', port: defaultPorts.gateway + 200, rate: 1, ordering: 'subject', bench: { latencyMs, consumers }, ...(driver === 'kafka' ? { kafka } : {}) },
    order.folder,
    closing,
    () => undefined,
  );
  process.on('message', (word) => {
    if (word === 'consume') void platform.startConsumers().then(() => tell({ kind: 'consuming' }), fail);
  });
  tell({ kind: 'ready', dev: platform.dev, brokers: platform.brokers, simulators: platform.simulators.map(({ provider, url, dataDir }) => ({ provider, url, dataDir })) });
} catch (error) {
  fail(error);
}

function tell(word: PlatformWord): void {
  process.send?.(word);
}

function fail(error: unknown): void {
  tell({ kind: 'failed', why: error instanceof Error ? error.message : inspect(error) });
}
