import { closeSync, createReadStream, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** One call as it came in. */
export interface KeptCall {
  /** On the simulator's clock. */
  readonly atMs: number;
  readonly operation: string;
  readonly path: string;
}

function callsFile(dataDir: string): string {
  return join(dataDir, 'calls.tsv');
}

/** Every call in a file before anything is done with it, so that calls per window can be counted over kills of the simulator. */
export class KeptCalls {
  private isClosed = false;

  private constructor(private readonly descriptor: number) {}

  static open(dataDir: string): KeptCalls {
    mkdirSync(dataDir, { recursive: true });
    return new KeptCalls(openSync(callsFile(dataDir), 'a', 0o600));
  }

  add({ atMs, operation, path }: KeptCall): void {
    // The descriptor may be somebody else's by now.
    if (this.isClosed) return;
    writeSync(this.descriptor, `${atMs}\t${operation}\t${path}\n`);
  }

  close(): void {
    this.isClosed = true;
    closeSync(this.descriptor);
  }
}

/** In the order in which they came; a torn last line is left out. */
export async function* readKeptCalls(dataDir: string): AsyncGenerator<KeptCall> {
  const file = callsFile(dataDir);
  if (!existsSync(file)) return;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [at, operation, path] = line.split('\t');
    if (operation !== undefined && path !== undefined) yield { atMs: Number(at), operation, path };
  }
}
