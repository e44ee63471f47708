import { writeSync } from 'node:fs';
import { armingIn, type Arming } from './arming.js';
import type { FailpointName } from './names.js';

/** How a process ends itself; specs pass their own. */
export interface Death {
  mark(text: string): void;
  kill(): void;
}

const stderr = 2;

const death: Death = {
  // Synchronously: nothing runs between the mark and the end.
  mark: (text) => void writeSync(stderr, text),
  kill: () => {
    process.kill(process.pid, 'SIGKILL');
    // The signal is on its way; until it has arrived, not one more line runs.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
};

/**
 * Ends the process by SIGKILL where it stands, if TRUNKLINE_FAILPOINT names this point. Bound once when the module is loaded: without that variable it is an empty function.
 * Names are written out at the call; nothing that comes from outside the process ever chooses one.
 */
export const failpoint: (name: FailpointName) => void = bound(process.env, death);

export function bound(environment: Readonly<Record<string, string | undefined>>, how: Death): (name: FailpointName) => void {
  try {
    const arming = armingIn(environment);
    return arming === null ? nothing : trapAt(arming, how);
  } catch (error) {
    // Told in words by whoever starts the process; should nobody have asked, the first point reached tells it.
    return () => {
      throw error;
    };
  }
}

function nothing(): void {
  return;
}

function trapAt({ name, nth }: Arming, { mark, kill }: Death): (name: FailpointName) => void {
  let passages = 0;
  return (reached) => {
    if (reached !== name) return;
    passages += 1;
    if (passages !== nth) return;
    try {
      mark(markOf(name, nth));
    } finally {
      kill();
    }
  };
}

/** The last line on stderr of a process that died at a point. */
export function markOf(name: FailpointName, nth = 1): string {
  return `failpoint ${name} reached (${nth}): killed here\n`;
}
