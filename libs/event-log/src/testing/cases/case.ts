import type { EventLog, PerKeyConsumer, RecordOutcome, StoredRecord } from '../../port.js';
import type { Lab } from '../lab.js';
import type { WrongDriver } from '../wrong-drivers.js';

/** One promise of the port. `run` rejects where a driver breaks it; `wrong` is a driver that does. */
export interface Case {
  readonly promise: string;
  readonly wrong: WrongDriver;
  run(lab: Lab): Promise<void>;
}

/** A per-key consumer that notes what it was given; records are ordered by their key. */
export function perKey(group: string, topic: string, handleRecord: (record: StoredRecord) => Promise<RecordOutcome | void>, orderingKey = keyOf): PerKeyConsumer {
  return {
    mode: 'per-key',
    group,
    topics: [topic],
    maxInFlight: 16,
    orderingKey,
    handleRecord: async (record) => (await handleRecord(record)) ?? { kind: 'done' },
  };
}

export function keyOf({ key }: StoredRecord): string {
  return key?.toString() ?? '';
}

export async function totalLag(log: EventLog, group: string): Promise<bigint> {
  return (await log.lag(group)).reduce((sum, { lag }) => sum + lag, 0n);
}
