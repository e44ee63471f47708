import type { Socket } from 'node:net';
import { Framer, type Framing } from './framing.js';

/** One client connection and its counterpart to the target. */
export class Link {
  private readonly requests: Framer;
  private readonly responses: Framer;
  private requestCount = 0;
  private responseCount = 0;
  private withheld: { readonly response: number; readonly happened: () => void } | null = null;

  /** `takeDrop` answers for each request whether its response is to be dropped, and what to call then. */
  constructor(
    private readonly client: Socket,
    private readonly target: Socket,
    framing: Framing,
    private readonly takeDrop: (request: Buffer) => (() => void) | null,
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
      this.requestCount += 1;
      const happened = this.withheld === null ? this.takeDrop(request) : null;
      if (happened !== null) this.withheld = { response: this.requestCount, happened };
      this.target.write(request);
    }
  }

  /** Responses come in the order of their requests; without framing the first bytes after the request count as its response. */
  private forwardResponses(bytes: Buffer): void {
    for (const response of this.responses.push(bytes)) {
      this.responseCount += 1;
      if (this.withheld !== null && this.isWithheld(this.withheld.response)) {
        this.cut();
        this.withheld.happened();
        return;
      }
      this.client.write(response);
    }
  }

  private isWithheld(response: number): boolean {
    return this.requests.framing === 'stream' || this.responseCount === response;
  }
}
