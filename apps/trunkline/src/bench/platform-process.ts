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
/** Asked to end while it starts, it starts to the end first: half a database or broker would stay behind. */
const end = (): void => void closing.close().then(() => process.exit(0));
process.on('SIGINT', () => undefined).on('SIGTERM', end).on('disconnect', end);
// The parent ended before this line was reached: nobody will say so any more.
if (!process.connected) process.exit(0);

try {
  const { driver, kafka, latencyMs, consumers } = order.options;
  const asked = { exit: true, output: 'table', port: defaultPorts.gateway + 200, rate: 1, ordering: 'subject', bench: { latencyMs, consumers }, ...(driver === 'kafka' ? { kafka } : {}) } as const;
  const platform = await closing.starting(() => startPlatform(asked, order.folder, closing, () => undefined));
  process.on('message', (word) => {
    if (word === 'consume') void closing.starting(() => platform.startConsumers()).then(() => tell({ kind: 'consuming' }), fail);
  });
  tell({ kind: 'ready', dev: platform.dev, brokers: platform.brokers, simulators: platform.simulators.map(({ provider, url, dataDir }) => ({ provider, url, dataDir })) });
} catch (error) {
  fail(error);
}

/** Whoever asked may be gone by now. */
function tell(word: PlatformWord): void {
  if (process.connected) process.send?.(word, undefined, undefined, () => undefined);
}

function fail(error: unknown): void {
  tell({ kind: 'failed', why: error instanceof Error ? error.message : inspect(error) });
}
