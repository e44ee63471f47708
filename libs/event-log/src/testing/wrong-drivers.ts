import type { Assignment, CommitPosition, LogDriver, LogMember } from '../driver.js';
import { LogUnavailable } from '../errors.js';
import { driverOf, eventsOf, memberOf } from './delegate.js';
import type { LogRecord, StoredRecord } from '../port.js';

export type WrongDriver =
  | 'swaps-records'
  | 'commits-on-delivery'
  | 'forgets-commits'
  | 'commits-the-highest'
  | 'lets-go-at-once'
  | 'believes-every-commit'
  | 'loses-dead-letters'
  | 'empties-null'
  | 'reads-headers-as-text'
  | 'keeps-one-header-per-name'
  | 'cuts-large-values'
  | 'passes-records-over'
  | 'acknowledges-what-failed'
  | 'forgets-what-is-unread'
  | 'miscounts'
  | 'leaves-without-a-word';

/** Drivers that break exactly one promise each: the suite is shown to notice. */
export const wrongDrivers: Readonly<Record<WrongDriver, (driver: LogDriver) => LogDriver>> = {
  'swaps-records': delivering((records) => [...records].reverse()),
  'commits-on-delivery': (driver) =>
    joining(driver, (join) => async (request, events) => {
      // Records may be delivered before the join is answered.
      const joined = Promise.withResolvers<LogMember>();
      const member = await join(request, {
        ...eventsOf(events),
        deliver: (assignment, records) => {
          events.deliver(assignment, records);
          const last = records.at(-1);
          if (last !== undefined) void joined.promise.then((self) => self.commit([{ topic: last.topic, partition: last.partition, epoch: assignment.epoch, next: last.offset + 1n }])).catch(() => undefined);
        },
      });
      joined.resolve(member);
      // What was finished is less than what was delivered: storing it too would take the wrong back.
      return memberOf(member, { commit: async () => undefined });
    }),
  'forgets-commits': (driver) => committing(driver, async () => undefined),
  'commits-the-highest': (driver) => {
    const highest = new Map<string, CommitPosition>();
    const noticing = joining(driver, (join) => (request, events) =>
      join(request, {
        ...eventsOf(events),
        deliver: (assignment, records) => {
          const last = records.at(-1);
          if (last !== undefined) highest.set(`${last.topic}/${last.partition}`, { topic: last.topic, partition: last.partition, epoch: assignment.epoch, next: last.offset + 1n });
          events.deliver(assignment, records);
        },
      }),
    );
    return committing(noticing, (member) => member.commit([...highest.values()]));
  },
  'lets-go-at-once': (driver) =>
    joining(driver, (join) => (request, events) => join(request, { ...eventsOf(events), revoked: (partitions) => events.revoked(partitions, 'lost') })),
  'believes-every-commit': (driver) => committing(driver, (member, positions) => member.commit(positions).catch(() => undefined)),
  'loses-dead-letters': (driver) =>
    driverOf(driver, { append: async (topic, records) => (topic === 'dead-letters' ? records.map(() => ({ partition: 0, offset: 0n })) : driver.append(topic, records)) }),
  'empties-null': storing((record) => ({ ...record, value: record.value ?? Buffer.alloc(0) })),
  'reads-headers-as-text': storing((record) => ({ ...record, headers: record.headers.map(([name, value]) => [name, Buffer.from(value.toString('utf8'))] as const) })),
  'keeps-one-header-per-name': storing((record) => ({ ...record, headers: [...new Map(record.headers)] })),
  'cuts-large-values': storing((record) => ({ ...record, value: record.value?.subarray(0, 65_535) ?? null })),
  'passes-records-over': delivering((records) => records.filter(({ offset }) => offset % 10n !== 7n)),
  'acknowledges-what-failed': (driver) =>
    driverOf(driver, {
      append: (topic, records) =>
        driver.append(topic, records).catch((error: unknown) => {
          if (LogUnavailable.matches(error)) return records.map(() => ({ partition: 0, offset: 0n }));
          throw error;
        }),
    }),
  // Its retention asks no group: see `Lab.applyRetention`.
  'forgets-what-is-unread': (driver) => driver,
  miscounts: (driver) => driverOf(driver, { lag: async (group) => (await driver.lag(group)).map((lag) => ({ ...lag, lag: lag.lag + 1n })) }),
  'leaves-without-a-word': (driver) =>
    joining(driver, (join) => async (request, events) => {
      const member = await join(request, events);
      return memberOf(member, { leave: async () => member.pause(request.topics.flatMap((topic) => [0, 1, 2, 3].map((partition) => ({ topic, partition })))) });
    }),
};

type Join = LogDriver['join'];

function joining(driver: LogDriver, change: (join: Join) => Join): LogDriver {
  return driverOf(driver, { join: change((request, events) => driver.join(request, events)) });
}

function delivering(change: (records: readonly StoredRecord[]) => readonly StoredRecord[]): (driver: LogDriver) => LogDriver {
  return (driver) =>
    joining(driver, (join) => (request, events) => join(request, { ...eventsOf(events), deliver: (assignment: Assignment, records) => events.deliver(assignment, change(records)) }));
}

function storing(change: (record: LogRecord) => LogRecord): (driver: LogDriver) => LogDriver {
  return (driver) => driverOf(driver, { append: (topic, records) => driver.append(topic, records.map(change)) });
}

function committing(driver: LogDriver, commit: (member: LogMember, positions: Parameters<LogMember['commit']>[0]) => Promise<void>): LogDriver {
  return joining(driver, (join) => async (request, events) => {
    const member = await join(request, events);
    return memberOf(member, { commit: (positions) => commit(member, positions) });
  });
}
