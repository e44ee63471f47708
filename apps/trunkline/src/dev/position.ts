import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How many rows the gentle feed has published, so that a second start goes on behind them. Losing it is harmless: the same row is the same event. */
export function readPosition(folder: string): number {
  const file = join(folder, 'feed.position');
  const count = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return Number.isInteger(count) ? count : 0;
}

export function writePosition(folder: string, count: number): void {
  writeFileSync(join(folder, 'feed.position'), String(count));
}
