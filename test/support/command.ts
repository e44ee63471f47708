import { spawn } from 'node:child_process';
import { mainOf } from './service-process.js';

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Both outputs. */
  readonly told: string;
}

/** `trunkline …` as an operator runs it. SIGKILL at that moment; null: it may end by itself. */
export function runCommand(words: readonly string[], environment: Readonly<Record<string, string>>, killAt: Promise<void> | null = null): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [mainOf('trunkline'), ...words], { env: { PATH: process.env['PATH'], NO_COLOR: '1', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    let told = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        told += chunk;
      });
    }
    killAt?.then(() => child.kill('SIGKILL'), reject);
    child.on('error', reject).on('close', (status, signal) => resolve({ status, signal, told }));
  });
}
