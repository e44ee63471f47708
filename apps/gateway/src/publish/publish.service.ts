import { type AcceptedEvent, EventTooLarge, type Receipt, type TrunklineError, encodeEvent, eventTopicOf, receiptOf } from '@trunkline/contracts';
import type { LogRecord } from '@trunkline/event-log';
import { failpoint } from '@trunkline/failpoints';
import { BacklogTooOld, TypesUnavailable } from '../edge/errors.js';
import { problemFrom, type Problem, problemOf } from '../edge/problem.js';
import { EventsAllRefused } from './errors.js';
import type { EventTypes } from './event-types.js';
import type { OldBacklog } from './old-backlog.js';
import { type PublishRequest, type ReadEvent, readEvents } from './read-events.js';
import type { SharedAppends } from './shared-appends.js';

export interface Refusal {
  readonly index: number;
  readonly problem: Problem;
}

export type Published = { readonly status: 202; readonly body: { readonly receipts: readonly Receipt[]; readonly refused: readonly Refusal[] } } | { readonly status: number; readonly body: Problem };

/** Throws when the plan includes no more events; undefined when nothing had to be waited for. */
export type AdmitEvents = (events: number) => Promise<void> | undefined;

/** Accepts events once they are durable (P1). The receipt is a function of organisation, source and id: a repeat gets the same. */
export class PublishService {
  constructor(
    private readonly types: Pick<EventTypes, 'refusalOf'>,
    private readonly appends: Pick<SharedAppends, 'append'>,
    private readonly backlog: Pick<OldBacklog, 'holds'>,
    private readonly answerWithinMs: number,
  ) {}

  /** Throws what concerns the request as a whole; `gateway.not_durable` asks the publisher to repeat all of it. */
  async publish(request: PublishRequest, organisationId: string, arrivedAtMs: number, admit?: AdmitEvents): Promise<Published> {
    const deadlineMs = arrivedAtMs + this.answerWithinMs;
    const { batched, events } = readEvents(request, organisationId);
    const { accepted, refusals } = await before(deadlineMs, this.sort(events, organisationId));
    if (accepted.length === 0) return allRefused(refusals, batched);
    const admitted = admit?.(accepted.length);
    if (admitted !== undefined) await admitted;
    const byTopic = recordsByTopic(accepted);
    for (const [topic, records] of byTopic) if (records.some(({ key }) => this.backlog.holds(topic, key))) throw BacklogTooOld.because(topic);
    failpoint('gateway.beforeProduce');
    await Promise.all([...byTopic].map(([topic, records]) => this.appends.append(topic, records, Math.max(1, Math.round(deadlineMs - performance.now())))));
    failpoint('gateway.afterProduce');
    return { status: 202, body: { receipts: accepted.map(receiptOf), refused: refusals.map(asRefusal) } };
  }

  private async sort(events: readonly ReadEvent[], organisationId: string): Promise<{ accepted: AcceptedEvent[]; refusals: (readonly [index: number, error: TrunklineError])[] }> {
    const accepted: AcceptedEvent[] = [];
    const refusals: (readonly [number, TrunklineError])[] = [];
    for (const [index, { event, refusal }] of events.entries()) {
      const error = event === null ? refusal : await this.types.refusalOf(organisationId, event.type);
      if (error !== null) refusals.push([index, error]);
      else if (event !== null) accepted.push(event);
    }
    return { accepted, refusals };
  }
}

async function before<T>(deadlineMs: number, sorted: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(TypesUnavailable.because('the types of this organisation were not read in time')), Math.max(1, deadlineMs - performance.now()));
  });
  return Promise.race([sorted, late]).finally(() => clearTimeout(timer));
}

function recordsByTopic(events: readonly AcceptedEvent[]): ReadonlyMap<string, LogRecord[]> {
  const byTopic = new Map<string, LogRecord[]>();
  for (const event of events) {
    const topic = eventTopicOf(event.type);
    const records = byTopic.get(topic);
    if (records === undefined) byTopic.set(topic, [encodeEvent(event)]);
    else records.push(encodeEvent(event));
  }
  return byTopic;
}

/** One event alone answers with its own problem; a batch with one that lists them all. */
function allRefused(refusals: readonly (readonly [number, TrunklineError])[], batched: boolean): Published {
  const [first] = refusals;
  if (!batched && first !== undefined) return { status: EventTooLarge.matches(first[1]) ? 413 : 400, body: problemOf(first[1]) };
  return { status: 400, body: problemFrom(EventsAllRefused, `none of the ${refusals.length} events is valid`, { refused: refusals.map(asRefusal) }) };
}

function asRefusal([index, error]: readonly [number, TrunklineError]): Refusal {
  return { index, problem: problemOf(error) };
}
