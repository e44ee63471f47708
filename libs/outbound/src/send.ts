import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { AddressRefused } from './address-policy.js';
import type { Answer, Exchange, Failure, FailureInside, FailureReason, OutboundRequest } from './exchange.js';
import { decompress } from './decompress.js';
import { addressNotAllowed, described, told } from './failure-told.js';

/** Ends one exchange early, with the reason it carries. */
class Stopped extends Error {
  override readonly name = 'Stopped';
  constructor(
    readonly reason: FailureReason,
    detail: string,
  ) {
    super(detail);
  }
}

/** Carries out one request on a dispatcher and always resolves: with the whole answer, or with how far it came. */
export function send(dispatcher: Dispatcher, request: OutboundRequest, maxAnswerBytes: number, onFailure: (failure: FailureInside) => void): Promise<Exchange> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const sending = new Sending(request, maxAnswerBytes, onFailure, (end) => resolve({ ...end, durationMs: performance.now() - startedMs }));
    try {
      dispatcher.dispatch(
        { path: `${request.url.pathname}${request.url.search}`, method: request.method, headers: { ...request.headers }, body: request.body, idempotent: false },
        sending,
      );
    } catch (error) {
      sending.onResponseError(null, error instanceof Error ? error : new Error(String(error)));
    }
  });
}

type Ending = Omit<Answer, 'durationMs'> | Omit<Failure, 'durationMs'>;

class Sending implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private stopped: Stopped | null = null;
  private firstByteLeft = false;
  private isSettled = false;
  private status: number | null = null;
  private headers: Record<string, string> = {};
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private timer: NodeJS.Timeout;

  constructor(
    private readonly request: OutboundRequest,
    private readonly maxAnswerBytes: number,
    private readonly onFailure: (failure: FailureInside) => void,
    private readonly settle: (end: Ending) => void,
  ) {
    this.timer = setTimeout(() => this.onTime(), Math.max(0, request.deadline.leftMs()));
  }

  /** undici calls this in the same turn as, and right before, the write to the socket. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // P4: a request that has left once never leaves again.
    if (this.firstByteLeft) return controller.abort(new Stopped('cut', 'the connection was lost after the request had left'));
    if (this.stopped !== null) return controller.abort(this.stopped);
    if (this.request.deadline.leftMs() <= 0) return this.stop('deadline', 'the deadline passed before the request was written');
    const withheld = this.request.mayWrite?.() ?? null;
    if (withheld !== null) return this.stop('withheld', withheld);
    this.firstByteLeft = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.status = status;
    for (const [name, value] of Object.entries(headers)) {
      const first = Array.isArray(value) ? value[0] : value;
      if (first !== undefined) this.headers[name.toLowerCase()] = first;
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > this.maxAnswerBytes) return this.stop('too-large', `the answer is larger than ${this.maxAnswerBytes} bytes`);
    this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    const { status, headers } = this;
    if (status === null) return this.fail('unreadable', 'the answer has no head');
    decompress(Buffer.concat(this.chunks), headers['content-encoding'], this.maxAnswerBytes).then(
      (body) => this.end({ kind: 'answered', status, headers, body }),
      (error: unknown) => this.fail('unreadable', `the body does not decompress: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (error instanceof Stopped) return this.fail(error.reason, error.message);
    if (error instanceof AddressRefused) return this.failInside('address-refused', error, addressNotAllowed);
    if (!this.firstByteLeft) return this.failInside('unreachable', error, told(error));
    this.failInside(error.message.startsWith('Parse Error') || error.name === 'HTTPParserError' ? 'unreadable' : 'cut', error, told(error));
  }

  private failInside(reason: FailureReason, error: Error, detail: string): void {
    if (!this.isSettled) this.onFailure({ host: this.request.url.host, reason, detail: described(error) });
    this.fail(reason, detail);
  }

  private onTime(): void {
    const leftMs = this.request.deadline.leftMs();
    if (leftMs > 0) {
      this.timer = setTimeout(() => this.onTime(), leftMs);
      return;
    }
    this.stop('deadline', this.firstByteLeft ? 'no whole answer before the deadline' : 'the deadline passed before the request was written');
  }

  private stop(reason: FailureReason, detail: string): void {
    this.stopped = new Stopped(reason, detail);
    this.controller?.abort(this.stopped);
    this.fail(reason, detail);
  }

  private fail(reason: FailureReason, detail: string): void {
    this.end({ kind: 'failed', reason, firstByteLeft: this.firstByteLeft, detail, status: this.status });
  }

  private end(end: Ending): void {
    if (this.isSettled) return;
    this.isSettled = true;
    clearTimeout(this.timer);
    this.settle(end);
  }
}
