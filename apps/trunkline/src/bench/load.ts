import { setTimeout as wait } from 'node:timers/promises';
import type { Api } from '../client/api.js';
import { OutcomeFailed } from '../client/failure.js';
import type { ContactEvent } from '../feed/service-request.js';
import { dueBy, type Schedule } from './schedule.js';

export interface Sent {
  /** Epoch ms at which each event was due, by event id: latency counts from here, so that a late answer cannot hide the wait behind it. */
  readonly dueAtMs: ReadonlyMap<string, number>;
  readonly runIds: readonly string[];
  readonly acceptMs: readonly number[];
  readonly lateMs: readonly number[];
  readonly refused: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** Publishes the events of one request and answers with their run ids. */
export type Publish = (events: readonly BenchEvent[], request: number) => Promise<readonly string[]>;
/** An event as the generator sends it; `assistant` names the chain. */
export type BenchEvent = ContactEvent & { readonly assistant?: string };
export type EventAt = (index: number) => BenchEvent;

/** Sends each request when it is due, whether or not earlier ones have been answered; nothing is repeated. */
export async function sendOpenLoop(publish: Publish, schedule: Schedule, batch: number, eventAt: EventAt): Promise<Sent> {
  const dueAtMs = new Map<string, number>();
  const runIds: string[] = [];
  const acceptMs: number[] = [];
  const lateMs: number[] = [];
  let refused = 0;
  const pending = new Set<Promise<void>>();
  const startedAtMs = Date.now();
  const start = performance.now();
  const send = async (index: number): Promise<void> => {
    const dueMs = start + schedule.dueMs(index);
    lateMs.push(performance.now() - dueMs);
    const events = Array.from({ length: batch }, (_, offset) => eventAt(index * batch + offset));
    for (const { id } of events) dueAtMs.set(id, startedAtMs + schedule.dueMs(index));
    try {
      const accepted = await publish(events, index);
      acceptMs.push(performance.now() - dueMs);
      runIds.push(...accepted);
    } catch {
      // Counted, and judged by the verdict: an event without a receipt may or may not have been taken.
      refused += events.length;
    }
  };
  for (let next = 0; next < schedule.requests; ) {
    const due = dueBy(schedule, performance.now() - start, next);
    for (; next < due; next += 1) {
      const work = send(next);
      pending.add(work);
      void work.finally(() => pending.delete(work));
    }
    const waitMs = start + schedule.dueMs(next) - performance.now();
    if (next < schedule.requests && waitMs > 0) await wait(waitMs);
    else await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await Promise.all(pending);
  return { dueAtMs, runIds, acceptMs, lateMs, refused, startedAtMs, endedAtMs: Date.now() };
}

/** Puts `count` events in as fast as a few callers can; for a backlog, where only what comes after is measured. */
export async function sendAll(publish: Publish, count: number, batch: number, eventAt: EventAt): Promise<Sent> {
  const runIds: string[] = [];
  const startedAtMs = Date.now();
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + batch);
      const events = Array.from({ length: next - from }, (_, offset) => eventAt(from + offset));
      runIds.push(...(await publish(events, from)));
    }
  };
  await Promise.all(Array.from({ length: 4 }, caller));
  return { dueAtMs: new Map(), runIds, acceptMs: [], lateMs: [], refused: 0, startedAtMs, endedAtMs: Date.now() };
}

/** Publishes at the gateway with the key of whoever sends this request. */
export function publishBy(api: Api, keyOf: (request: number) => string): Publish {
  return async (events, request) => {
    const [only] = events;
    const isSingle = events.length === 1;
    const answer = await api.send('POST', '/api/events', JSON.stringify(isSingle ? only : events), { authorization: `Bearer ${keyOf(request)}`, 'content-type': isSingle ? 'application/cloudevents+json' : 'application/cloudevents-batch+json' });
    if (answer.status !== 202) throw OutcomeFailed.because(`publishing: ${answer.status} ${answer.text.slice(0, 200)}`);
    const body = JSON.parse(answer.text) as { readonly run_id?: string; readonly receipts?: readonly { readonly run_id: string }[] };
    return body.receipts === undefined ? [body.run_id ?? ''] : body.receipts.map((receipt) => receipt.run_id);
  };
}

/** As a well-behaved publisher: what was refused or not answered is sent again until it is taken. */
export function untilTaken(publish: Publish, giveUpAfterMs: number): Publish {
  return async (events, request) => {
    const giveUpAt = performance.now() + giveUpAfterMs;
    for (;;) {
      try {
        return await publish(events, request);
      } catch (error) {
        if (performance.now() > giveUpAt) throw error;
        await wait(50);
      }
    }
  };
}
