import { setTimeout as wait } from 'node:timers/promises';
import type { Api } from '../client/api.js';
import { OutcomeFailed } from '../client/failure.js';
import type { ContactEvent } from './service-request.js';

export interface Published {
  readonly receipts: readonly { readonly run_id: string; readonly source: string; readonly id: string }[];
  readonly refused: readonly { readonly index: number; readonly problem: { readonly code: string; readonly title: string; readonly detail?: string } }[];
}

/** Publishes one batch and repeats it while the gateway says "not surely durable": harmless, since a repeat gets the same receipts. */
export async function publish(api: Api, events: readonly ContactEvent[], patienceMs: number): Promise<Published> {
  const body = JSON.stringify(events);
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const answer = await api.send('POST', '/api/events', body, { 'content-type': 'application/cloudevents-batch+json' });
    if (answer.status === 202) return JSON.parse(answer.text) as Published;
    if (answer.status !== 503 || performance.now() > giveUpAt) throw OutcomeFailed.because(`publishing ${events.length} events: ${answer.status} ${answer.text.slice(0, 300)}`);
    await wait(1000 * Number(answer.headers['retry-after'] ?? 1));
  }
}
