import { setTimeout as wait } from 'node:timers/promises';
import { Pool } from 'undici';
import type { ContactEvent } from '../feed/service-request.js';
import { nthEvent } from '../bench/rows.js';
import { eventIdOf, type Council, type CouncilName } from './council.js';

export interface Accepted {
  readonly council: CouncilName;
  readonly eventId: string;
  readonly runId: string;
  readonly atMs: number;
}

export interface LoadWishes {
  readonly gatewayUrl: string;
  readonly councils: readonly Council[];
  readonly rows: readonly ContactEvent[];
  readonly events: number;
  readonly rate: number;
  readonly signal: AbortSignal;
}

/** So many neighbouring rows are about one place: the order of a subject is put to the test, and not only where the data happens to repeat an address. */
const eventsPerSubject = 3;
/** More events per second than this travel several to a request. */
const requestsPerSecond = 25;
const answerWithinMs = 5_000;

/** Real rows at a rate, whatever the answers do; what is refused or not answered is sent again under the same id, as a publisher would. */
export class Load {
  readonly accepted: Accepted[] = [];
  sent = 0;
  repeats = 0;
  /** Answers that no repeat can better. */
  readonly refusals: string[] = [];

  private readonly pool: Pool;
  private hurried = 0;
  private wake = (): void => undefined;

  constructor(private readonly wishes: LoadWishes) {
    this.pool = new Pool(wishes.gatewayUrl, { connections: 64, pipelining: 1, headersTimeout: answerWithinMs, bodyTimeout: answerWithinMs, connect: { timeout: answerWithinMs } });
  }

  /** The next events are sent at once; then the load rests until its clock has caught up, so that its rate stays what it is. */
  hurry(events: number): void {
    this.hurried = Math.max(this.hurried, this.sent + events);
    this.wake();
  }

  async run(): Promise<void> {
    const { events, rate, signal } = this.wishes;
    const batch = Math.max(1, Math.round(rate / requestsPerSecond));
    const startMs = performance.now();
    const pending = new Set<Promise<void>>();
    for (let request = 0; request * batch < events && !signal.aborted; request += 1) {
      const dueInMs = startMs + (request * batch * 1000) / rate - performance.now();
      if (dueInMs > 2 && this.sent >= this.hurried) await this.rest(dueInMs);
      // Also when it is behind: answers must be heard.
      else await new Promise((resolve) => setImmediate(resolve));
      const work = this.publish(request, batch, Math.min(batch, events - request * batch));
      pending.add(work);
      void work.finally(() => pending.delete(work));
    }
    await Promise.all(pending);
    await this.pool.close();
  }

  private async rest(durationMs: number): Promise<void> {
    const hurried = new Promise<void>((resolve) => (this.wake = resolve));
    const ending = new AbortController();
    await Promise.race([wait(durationMs, undefined, { signal: ending.signal }), hurried]).finally(() => ending.abort());
  }

  /** All of one request are of one organisation. */
  private async publish(request: number, batch: number, count: number): Promise<void> {
    const { councils, rows, signal } = this.wishes;
    const council = councils[request % councils.length];
    if (council === undefined) return;
    const first = Math.floor(request / councils.length) * batch;
    const body = JSON.stringify(Array.from({ length: count }, (_, offset) => eventFor(council.name, rows, first + offset)));
    this.sent += count;
    for (let tries = 0; !signal.aborted; tries += 1) {
      if (tries > 0) {
        this.repeats += count;
        await wait(Math.min(2_000, 100 * 2 ** Math.min(tries, 5)));
      }
      if (await this.post(council, body)) return;
    }
  }

  /** False: to be sent again, since nobody knows whether it was taken. */
  private async post({ name, apiKey }: Council, body: string): Promise<boolean> {
    try {
      const answer = await this.pool.request({ method: 'POST', path: '/api/events', headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/cloudevents-batch+json' }, body });
      const text = await answer.body.text();
      if (answer.statusCode === 202) {
        const { receipts, refused = [] } = JSON.parse(text) as Answer;
        for (const { id, run_id: runId } of receipts) this.accepted.push({ council: name, eventId: id, runId, atMs: Date.now() });
        for (const { problem } of refused) this.refusals.push(JSON.stringify(problem));
        return true;
      }
      if (answer.statusCode >= 500 || answer.statusCode === 429) return false;
      this.refusals.push(`${answer.statusCode} ${text.slice(0, 200)}`);
      return true;
    } catch {
      // Not reached, or cut: that is what this is about.
      return false;
    }
  }
}

interface Answer {
  readonly receipts: readonly { readonly id: string; readonly run_id: string }[];
  readonly refused?: readonly { readonly problem: unknown }[];
}

function eventFor(name: CouncilName, rows: readonly ContactEvent[], index: number): ContactEvent {
  const event = nthEvent(rows, index);
  const { subject } = nthEvent(rows, index - (index % eventsPerSubject));
  const id = eventIdOf(name, event.id);
  return { ...event, id, source: `/rehearsal/${name}`, ...(subject !== undefined && { subject }), data: { ...event.data, conversation_id: id, contact: { id: `resident-${id}`, name: `Resident of request ${id}` } } };
}
