export type Framing = 'stream' | 'length-prefixed';

/** Cuts a stream of bytes into messages; what is incomplete waits for the rest. */
export class Framer {
  private rest: Buffer = Buffer.alloc(0);

  constructor(readonly framing: Framing) {}

  push(bytes: Buffer): readonly Buffer[] {
    if (this.framing === 'stream') return [bytes];
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const messages: Buffer[] = [];
    while (this.rest.length >= 4) {
      const end = 4 + this.rest.readInt32BE(0);
      if (this.rest.length < end) break;
      messages.push(this.rest.subarray(0, end));
      this.rest = this.rest.subarray(end);
    }
    return messages;
  }
}
