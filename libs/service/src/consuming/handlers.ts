import { MessagePattern } from '@nestjs/microservices';
import type { RecordOutcome, StoredRecord } from '@trunkline/event-log';

export interface BatchHandlerOptions {
  readonly group: string;
  readonly topics: readonly string[];
  readonly maxRecords: number;
}

export interface RecordHandlerOptions {
  readonly group: string;
  readonly topics: readonly string[];
  readonly maxInFlight: number;
  /** Records with the same answer keep their order; the record's key unless given. */
  readonly orderingKey?: (record: StoredRecord) => string;
}

export type HandlerExtras = ({ readonly mode: 'batch' } & BatchHandlerOptions) | ({ readonly mode: 'per-key' } & RecordHandlerOptions);

/** What a handler came to, carried through Nest's pipeline unharmed: Nest would turn a throw into a logged "Internal server error". */
export type Carried = { readonly carried: 'returned'; readonly value: unknown } | { readonly carried: 'threw'; readonly error: unknown };

export const eventLogTransport = Symbol('event log');

type Handles<Argument, Result> = <Method extends (argument: Argument) => Promise<Result>>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<Method>) => void;

/** The method takes all records of these topics in batches; one outcome per record, same order. A throw means: the same records again, later. */
export function BatchHandler(options: BatchHandlerOptions): Handles<readonly StoredRecord[], readonly RecordOutcome[]> {
  return handler({ mode: 'batch', ...options });
}

/** The method takes one record at a time; records of one ordering key in order. A throw means: the same record again, later. */
export function RecordHandler(options: RecordHandlerOptions): Handles<StoredRecord, RecordOutcome> {
  return handler({ mode: 'per-key', ...options });
}

let declared = 0;

function handler<Argument, Result>(extras: HandlerExtras): Handles<Argument, Result> {
  return (target, key, descriptor) => {
    const method = descriptor.value;
    if (method === undefined) throw new TypeError(`${String(key)} is not a method`);
    async function carrying(this: unknown, argument: Argument): Promise<Carried> {
      try {
        return { carried: 'returned', value: await method?.call(this, argument) };
      } catch (error) {
        return { carried: 'threw', error };
      }
    }
    Object.assign(descriptor, { value: carrying });
    declared += 1;
    // Nest keeps one handler per pattern and drops the earlier one silently; the number keeps them apart until they are checked.
    MessagePattern(`${extras.group} ← ${extras.topics.join(', ')} #${declared}`, eventLogTransport, extras)(target, key, descriptor);
  };
}
