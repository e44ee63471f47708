import { closeSync, createReadStream, existsSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SimulatorJournalUnreadable } from './errors.js';
import type { JournalEntry } from './journal-entry.js';

const lineFeed = 0x0a;

export function journalFile(dataDir: string): string {
  return join(dataDir, 'journal.ndjson');
}

/**
 * Append-only file of effects. An answer is given only after its entries are in the operating system's file, so they
 * survive the death of this process (not of the machine: nothing here waits for the disk).
 */
export class Journal {
  private waitingLines: string[] = [];
  private waitingCallbacks: ((error?: Error) => void)[] = [];
  private failure: Error | undefined;

  private constructor(private readonly descriptor: number) {}

  /** Reads what is there, cuts off a torn last line, and goes on behind it. */
  static async open(dataDir: string, replay: (entry: JournalEntry) => void): Promise<Journal> {
    mkdirSync(dataDir, { recursive: true });
    const file = journalFile(dataDir);
    const goodBytes = existsSync(file) ? await readEntries(file, replay) : 0;
    const descriptor = openSync(file, 'a', 0o600);
    ftruncateSync(descriptor, goodBytes);
    return new Journal(descriptor);
  }

  /** Everything appended within one turn of the event loop goes out in one write. */
  append(entry: JournalEntry): void {
    if (this.waitingLines.length === 0 && this.waitingCallbacks.length === 0) setImmediate(() => this.flush());
    this.waitingLines.push(`${JSON.stringify(entry)}\n`);
  }

  /** Calls back once all that was appended so far is in the file; a read waits too, so nobody sees what a kill could undo. */
  whenWritten(callback: (error?: Error) => void): void {
    if (this.failure !== undefined) callback(this.failure);
    else if (this.waitingLines.length === 0) callback();
    else this.waitingCallbacks.push(callback);
  }

  /** What an unfinished call still appends afterwards is not written: by then the descriptor may be somebody else's, a database connection's for one. */
  close(): void {
    this.flush();
    this.failure ??= new Error('the journal is closed');
    closeSync(this.descriptor);
  }

  private flush(): void {
    const lines = this.waitingLines;
    const callbacks = this.waitingCallbacks;
    this.waitingLines = [];
    this.waitingCallbacks = [];
    if (lines.length > 0 && this.failure === undefined) this.write(Buffer.from(lines.join('')));
    for (const callback of callbacks) callback(this.failure);
  }

  /** After a failed write memory and file differ, so the journal stays failed: the simulator answers nothing more. */
  private write(bytes: Buffer): void {
    try {
      for (let written = 0; written < bytes.length; ) written += writeSync(this.descriptor, bytes, written);
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      process.stderr.write(`the simulator's journal cannot be written (${this.failure.message}): every call is cut from now on; make room and start it again\n`);
    }
  }
}

/** Calls `each` for every whole line; answers how many bytes of the file are whole lines. */
async function readEntries(file: string, each: (entry: JournalEntry) => void): Promise<number> {
  let rest: Buffer = Buffer.alloc(0);
  let goodBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(lineFeed, start); end !== -1; end = bytes.indexOf(lineFeed, start)) {
      each(parseLine(bytes.toString('utf8', start, end), file, goodBytes));
      goodBytes += end + 1 - start;
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
  return goodBytes;
}

function parseLine(line: string, file: string, offset: number): JournalEntry {
  try {
    return JSON.parse(line) as JournalEntry;
  } catch (error) {
    throw SimulatorJournalUnreadable.from(error, `reading ${file} at byte ${offset}`);
  }
}

/** Every entry of a simulator's life, also while it runs: a torn last line is left out. */
export async function readJournal(dataDir: string): Promise<readonly JournalEntry[]> {
  const file = journalFile(dataDir);
  const entries: JournalEntry[] = [];
  if (existsSync(file)) await readEntries(file, (entry) => entries.push(entry));
  return entries;
}
