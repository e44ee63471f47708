import type { CustomTransportStrategy, MessageHandler } from '@nestjs/microservices';
import { Server } from '@nestjs/microservices';
import type { Topic } from '@trunkline/contracts';
import { topics as registry } from '@trunkline/contracts';
import type { BatchConsumer, Consumption, EventLog, PerKeyConsumer, RecordOutcome, StoredRecord } from '@trunkline/event-log';
import { isObservable, lastValueFrom } from 'rxjs';
import { HandlerInvalid } from '../errors.js';
import type { Dependency } from '../readiness.js';
import { checkHandlers } from './check-handlers.js';
import type { Carried, HandlerExtras } from './handlers.js';
import { eventLogTransport } from './handlers.js';

export interface EventLogStrategyOptions {
  readonly eventLog: EventLog;
  /** What this app must take care of: each of them needs a handler. */
  readonly topics: readonly string[];
  readonly registry?: readonly Topic[];
  /** For what is in hand when the app closes. */
  readonly graceMs?: number;
}

/** Nest's door to the event log: handlers found by their decorators become consumers of the port. A wrong set of handlers stops the start, not a record. */
export class EventLogStrategy extends Server implements CustomTransportStrategy {
  override transportId = eventLogTransport;
  readonly #consumptions = new Map<string, Consumption>();

  constructor(private readonly options: EventLogStrategyOptions) {
    super();
  }

  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.close();
      callback(error);
      return;
    }
    callback();
  }

  /** Leaves all groups; returns when what was in hand has ended or its time is over. */
  async close(graceMs = this.options.graceMs ?? 20_000): Promise<void> {
    const running = [...this.#consumptions.values()];
    this.#consumptions.clear();
    await Promise.all(running.map((consumption) => consumption.stop(graceMs)));
  }

  /** For `/readyz`: a group whose consumer is crashed, stalled or not yet joined is named with its reason. */
  dependencies(): readonly Dependency[] {
    const log: Dependency = {
      name: `event log (${this.options.eventLog.driver})`,
      check: async () => {
        await this.options.eventLog.ping();
        return null;
      },
    };
    const groups: Dependency = {
      name: 'consumers',
      check: async () => {
        if (this.#consumptions.size === 0) return 'not started';
        const unready = [...this.#consumptions].flatMap(([group, consumption]) => {
          const { ready, reason = 'not ready' } = consumption.health();
          return ready ? [] : [`${group}: ${reason}`];
        });
        return unready.length === 0 ? null : unready.join('; ');
      },
    };
    return [log, groups];
  }

  /** A worker asks it for the age of the last heartbeat before it starts a call. */
  consumption(group: string): Consumption | undefined {
    return this.#consumptions.get(group);
  }

  override on(): never {
    throw new TypeError('the event log strategy has no events; ask dependencies()');
  }

  override unwrap<T>(): T {
    return this.options.eventLog as T;
  }

  async #start(): Promise<void> {
    const { eventLog, topics, registry: known = registry } = this.options;
    const handlers = [...this.messageHandlers].map(([pattern, handler]) => ({ pattern, handler, extras: extrasOf(pattern, handler) }));
    checkHandlers(handlers.map(({ extras }) => extras), topics, known);
    await eventLog.ensureTopics(known);
    for (const { handler, extras } of handlers) this.#consumptions.set(extras.group, await eventLog.consume(consumerOf(handler, extras)));
  }
}

function extrasOf(pattern: string, handler: MessageHandler): HandlerExtras {
  const extras = handler.extras as Partial<HandlerExtras> | undefined;
  if (extras?.mode === undefined) throw HandlerInvalid.because(`${pattern} was not declared by @BatchHandler or @RecordHandler`);
  return extras as HandlerExtras;
}

function consumerOf(handler: MessageHandler, extras: HandlerExtras): BatchConsumer | PerKeyConsumer {
  const { group, topics } = extras;
  if (extras.mode === 'batch') {
    return { mode: 'batch', group, topics, maxRecords: extras.maxRecords, handleBatch: (records) => call<readonly RecordOutcome[]>(handler, records) };
  }
  const { maxInFlight, orderingKey = keyOf } = extras;
  return { mode: 'per-key', group, topics, maxInFlight, orderingKey, handleRecord: (record) => call<RecordOutcome>(handler, record) };
}

/** Guards and interceptors of the app run; what the handler returned or threw arrives as it was. */
async function call<Result>(handler: MessageHandler, argument: unknown): Promise<Result> {
  const answered: unknown = await handler(argument);
  const carried = (isObservable(answered) ? await lastValueFrom(answered) : answered) as Carried | undefined;
  if (carried?.carried === 'returned') return carried.value as Result;
  if (carried?.carried === 'threw') throw carried.error;
  throw HandlerInvalid.because('a filter or interceptor replaced the outcome of a handler');
}

/** Records without a key have no order among each other. */
function keyOf({ key, topic, partition, offset }: StoredRecord): string {
  return key === null ? `${topic}/${partition}/${offset}` : key.toString('latin1');
}
