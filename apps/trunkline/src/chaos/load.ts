import { setTimeout as wait } from 'node:timers/promises';
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

/** Real rows at a rate, whatever the answers do; what is refused or not answered is sent again under the same id, as a publisher would. */
export class Load {
  readonly accepted: Accepted[] = [];
  sent = 0;
  repeats = 0;
  /** Answers that no repeat can better. */
  readonly refusals: string[] = [];

  constructor(private readonly wishes: LoadWishes) {}

  async run(): Promise<void> {
    const { events, rate, signal } = this.wishes;
    const startMs = performance.now();
    const pending = new Set<Promise<void>>();
    for (let index = 0; index < events && !signal.aborted; index += 1) {
      const dueInMs = startMs + (index * 1000) / rate - performance.now();
      if (dueInMs > 2) await wait(dueInMs);
      const work = this.publish(index);
      this.sent += 1;
      pending.add(work);
      void work.finally(() => pending.delete(work));
    }
    await Promise.all(pending);
  }

  private async publish(index: number): Promise<void> {
    const { councils, rows, signal, gatewayUrl } = this.wishes;
    const council = councils[index % councils.length];
    if (council === undefined) return;
    const event = eventFor(council.name, nthEvent(rows, Math.floor(index / councils.length)));
    for (let tries = 0; !signal.aborted; tries += 1) {
      if (tries > 0) {
        this.repeats += 1;
        await wait(Math.min(2_000, 100 * 2 ** Math.min(tries, 5)));
      }
      const runId = await this.post(`${gatewayUrl}/api/events`, council.apiKey, event);
      if (runId === undefined) continue;
      if (runId !== null) this.accepted.push({ council: council.name, eventId: event.id, runId, atMs: Date.now() });
      return;
    }
  }

  /** Undefined: try again. Null: refused for good. */
  private async post(url: string, apiKey: string, event: ContactEvent): Promise<string | null | undefined> {
    try {
      const answer = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/cloudevents+json' }, body: JSON.stringify(event), signal: AbortSignal.timeout(5_000) });
      const text = await answer.text();
      if (answer.status === 202) return runIdIn(text);
      if (answer.status < 500 && answer.status !== 429) {
        this.refusals.push(`${event.id}: ${answer.status} ${text.slice(0, 200)}`);
        return null;
      }
    } catch {
      // Not reached, or no answer: nobody knows whether it was taken, so it is sent again.
    }
    return undefined;
  }
}

function eventFor(name: CouncilName, event: ContactEvent): ContactEvent {
  const id = eventIdOf(name, event.id);
  return { ...event, id, source: `/rehearsal/${name}`, data: { ...event.data, conversation_id: id, contact: { id: `resident-${id}`, name: `Resident of request ${id}` } } };
}

function runIdIn(text: string): string {
  const body = JSON.parse(text) as { readonly run_id?: string; readonly receipts?: readonly { readonly run_id: string }[] };
  return body.run_id ?? body.receipts?.[0]?.run_id ?? '';
}
