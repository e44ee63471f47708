import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BenchNotStarted } from '../client/failure.js';
import type { Closing } from '../dev/closing.js';
import type { PlatformOrder, PlatformWord } from './platform-process.js';

export interface BenchedPlatform extends Omit<Extract<PlatformWord, { readonly kind: 'ready' }>, 'kind'> {
  readonly pid: number;
  startConsumers(): Promise<void>;
}

const entry = fileURLToPath(new URL('./platform-process.js', import.meta.url));

/** `closing` ends it from its first moment on, whether or not it has come up. */
export async function startBenchedPlatform(order: PlatformOrder, profile: string | undefined, closing: Closing): Promise<BenchedPlatform> {
  // A bench fills and loads a database of its own, never the one that DATABASE_URL names.
  const { DATABASE_URL: _database, ...environment } = process.env;
  const child = fork(entry, [JSON.stringify(order)], { env: environment, execArgv: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const gone = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    await gone;
  };
  closing.add('platform', stop);
  const ready = await nextWord(child);
  if (ready.kind !== 'ready') await stop();
  if (ready.kind !== 'ready') throw BenchNotStarted.because(ready.kind === 'failed' ? ready.why : ready.kind);
  return {
    ...ready,
    pid: child.pid ?? 0,
    startConsumers: async () => {
      const answer = nextWord(child);
      child.send('consume', () => undefined);
      const word = await answer;
      if (word.kind !== 'consuming') throw BenchNotStarted.because(`ledger and workers: ${word.kind === 'failed' ? word.why : word.kind}`);
    },
  };
}

function nextWord(child: ChildProcess): Promise<PlatformWord> {
  return new Promise((resolve) => {
    const leave = (word: PlatformWord): void => {
      child.off('message', onMessage).off('exit', onExit);
      resolve(word);
    };
    const onMessage = (word: unknown): void => leave(word as PlatformWord);
    const onExit = (code: number | null): void => leave({ kind: 'failed', why: `its process ended with ${code}` });
    child.on('message', onMessage).on('exit', onExit);
  });
}
