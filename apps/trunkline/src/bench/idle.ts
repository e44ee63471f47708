import { setTimeout as wait } from 'node:timers/promises';
import { readProcessFigures } from './process-figures.js';
import { rounded } from './result.js';

/** How much of one core services, database and broker use while nothing is asked of them, in per cent; null where it cannot be known. */
export async function idleShare(platformPid: number, seconds: number): Promise<number | null> {
  const before = readProcessFigures(platformPid, process.pid, false);
  const start = performance.now();
  await wait(seconds * 1_000);
  const after = readProcessFigures(platformPid, process.pid, false);
  if (before === null || after === null) return null;
  const usedMs = (['services', 'database', 'broker'] as const).reduce((sum, share) => sum + after.cpuMs[share] - before.cpuMs[share], 0);
  return rounded((usedMs / (performance.now() - start)) * 100);
}
