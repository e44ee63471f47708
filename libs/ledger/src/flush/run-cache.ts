import type { LoadedRun } from './decision.js';
import type { RunCache } from './surroundings.js';

/** Least recently written goes first, by number and by bytes of event data. */
export function createRunCache(mostRuns: number, mostBytes: number): RunCache {
  const runs = new Map<string, LoadedRun>();
  let bytes = 0;
  const drop = (key: string): void => {
    const known = runs.get(key);
    if (known === undefined) return;
    bytes -= weightOf(known);
    runs.delete(key);
  };
  return {
    get: (key) => runs.get(key),
    set(key, run) {
      drop(key);
      runs.set(key, run);
      bytes += weightOf(run);
      for (const oldest of runs.keys()) {
        if (runs.size <= mostRuns && bytes <= mostBytes) break;
        drop(oldest);
      }
    },
    delete: drop,
  };
}

function weightOf({ row, event }: LoadedRun): number {
  return 1_000 + event.data.length + row.run.steps.reduce((sum, step) => sum + 300 + 2 * (step.input?.length ?? 0), 0);
}
