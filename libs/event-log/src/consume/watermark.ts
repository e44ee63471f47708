/** Of the records handed out of one partition, which offset may be committed: the one after the longest finished run from the start. P3: commit only the contiguous offset. */
export class Watermark {
  private readonly entries: Entry[] = [];
  private head = 0;
  private nextOffset: bigint | null = null;

  /** Offsets are added in rising order; they need not be adjacent (a Kafka log may skip some). */
  add(offset: bigint): Ticket {
    const entry: Entry = { offset, isFinished: false };
    this.entries.push(entry);
    return entry;
  }

  finish(ticket: Ticket): void {
    (ticket as Entry).isFinished = true;
    for (let entry = this.entries[this.head]; entry?.isFinished === true; entry = this.entries[this.head]) {
      this.nextOffset = entry.offset + 1n;
      this.head += 1;
    }
    if (this.head > 1024 && this.head * 2 > this.entries.length) {
      this.entries.splice(0, this.head);
      this.head = 0;
    }
  }

  /** The offset to commit, null while nothing from the start on is finished. */
  get next(): bigint | null {
    return this.nextOffset;
  }

  /** Records handed out past the offset that may be committed, finished or not. */
  get gap(): number {
    return this.entries.length - this.head;
  }
}

export interface Ticket {
  readonly offset: bigint;
}

interface Entry {
  readonly offset: bigint;
  isFinished: boolean;
}
