import type { Socket } from 'node:net';
import type { Fault } from './fault.js';
import { Framer, type Framing } from './framing.js';

/** Length, correlation id and two bytes more. */
const TRUNCATED_BYTES = 10;

/** One client connection and its counterpart to the target. */
export class Link {
  private readonly requests: Framer;
  private readonly responses: Framer;
  private requestCount = 0;
  private responseCount = 0;
  private pending: { readonly response: number; readonly fault: Fault } | null = null;
  private isSilent = false;

  /** `takeFault` answers for each request which fault its response is to suffer. */
  constructor(
    private readonly client: Socket,
    private readonly target: Socket,
    framing: Framing,
    private readonly takeFault: (request: Buffer) => Fault | null,
  ) {
    this.requests = new Framer(framing);
    this.responses = new Framer(framing);
    client.setNoDelay(true);
    target.setNoDelay(true);
    client.on('data', (bytes: Buffer) => this.forwardRequests(bytes));
    target.on('data', (bytes: Buffer) => this.forwardResponses(bytes));
    for (const socket of [client, target]) {
      // A reset of one side is the end of both; the other side sees it as a cut, which is what it was.
      socket.on('error', () => this.cut());
      socket.on('close', () => this.cut());
    }
  }

  onClosed(listener: () => void): void {
    this.client.once('close', listener);
  }

  pause(): void {
    this.client.pause();
    this.target.pause();
  }

  resume(): void {
    this.client.resume();
    this.target.resume();
  }

  cut(): void {
    this.client.destroy();
    this.target.destroy();
  }

  private forwardRequests(bytes: Buffer): void {
    for (const request of this.requests.push(bytes)) {
      const fault = this.pending === null ? this.takeFault(request) : null;
      if (fault?.answer !== undefined) {
        this.client.write(fault.answer(request));
        fault.happened();
        continue;
      }
      this.requestCount += 1;
      if (fault?.kind === 'lose') {
        this.cut();
        fault.happened();
        return;
      }
      if (fault !== null) this.pending = { response: this.requestCount, fault };
      this.target.write(request);
    }
  }

  /** Responses come in the order of their requests; without framing the first bytes after the request count as its response. */
  private forwardResponses(bytes: Buffer): void {
    for (const response of this.responses.push(bytes)) {
      this.responseCount += 1;
      const fault = this.dueFault();
      if (fault !== null) this.apply(fault, response);
      else if (!this.isSilent) this.client.write(response);
    }
  }

  private dueFault(): Fault | null {
    if (this.pending === null) return null;
    if (this.responses.framing === 'length-prefixed' && this.responseCount !== this.pending.response) return null;
    const { fault } = this.pending;
    this.pending = null;
    return fault;
  }

  private apply(fault: Fault, response: Buffer): void {
    if (fault.kind === 'drop') this.cut();
    else if (fault.kind === 'silence') this.isSilent = true;
    else if (fault.kind === 'reset-within' || fault.kind === 'reset-after') this.resetBehind(fault.kind === 'reset-after' ? response : response.subarray(0, response.length >> 1));
    else {
      const part = Buffer.from(response.subarray(0, TRUNCATED_BYTES));
      if (this.responses.framing === 'length-prefixed') part.writeInt32BE(part.length - 4, 0);
      this.client.write(part);
    }
    fault.happened();
  }

  /** A reset overtakes bytes that the client has not read yet, so they are given the time to arrive. */
  private resetBehind(bytes: Buffer): void {
    this.isSilent = true;
    this.client.write(bytes, () => setTimeout(() => {
      this.client.resetAndDestroy();
      this.target.destroy();
    }, 20));
  }
}
