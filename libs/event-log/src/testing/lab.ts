import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LogDriver, TopicPartition } from '../driver.js';
import { createEventLog } from '../event-log.js';
import type { EventLog, LogRecord, StoredRecord } from '../port.js';
import { driverOf } from './delegate.js';
import type { Harness, Patience } from './harness.js';
import { wrongDrivers, type WrongDriver } from './wrong-drivers.js';

/** What one case works with; closes everything it opened. */
export class Lab {
  private readonly id = randomUUID().slice(0, 8);
  private readonly logs: EventLog[] = [];
  private readonly children: ChildProcess[] = [];
  private readonly assigned = new Map<EventLog, Set<string>>();
  private readonly askedBack = new Map<EventLog, Promise<void>>();
  private names = 0;

  constructor(
    readonly harness: Harness,
    private readonly wrong: WrongDriver | null,
  ) {}

  /** A log over a driver of its own: to the group it looks like one more process. */
  async log(patience: Patience = 'patient'): Promise<EventLog> {
    const assignments = new Set<string>();
    const back = gate();
    const driver = await this.harness.open(patience);
    const log = createEventLog(watched(this.wrong === null ? driver : wrongDrivers[this.wrong](driver), assignments, back.open));
    this.assigned.set(log, assignments);
    this.askedBack.set(log, back.opened);
    this.logs.push(log);
    return log;
  }

  name(kind: string): string {
    this.names += 1;
    return `t-${this.id}-${kind}-${this.names}`;
  }

  async topic(log: EventLog, partitions = 4): Promise<string> {
    const topic = this.name('topic');
    await log.ensureTopics([
      { name: topic, partitions, retentionMs: 7 * 24 * 3_600_000 },
      { name: 'dead-letters', partitions: 1, retentionMs: 7 * 24 * 3_600_000 },
    ]);
    return topic;
  }

  /** Resolves once each of these logs holds as many partitions. */
  async settled(logs: readonly EventLog[], partitionsEach: number): Promise<void> {
    const counts = (): number[] => logs.map((log) => this.assigned.get(log)?.size ?? 0);
    await this.eventually(() => counts().every((count) => count === partitionsEach), () => `partitions held: ${counts().join(', ')}`, this.harness.sessionTimeoutMs * 2 + 10_000);
  }

  /** Resolves once the group wants a partition of this log back, or takes it. */
  async isAskedBack(log: EventLog): Promise<void> {
    await this.askedBack.get(log);
  }

  /** A member in a process of its own. */
  child(task: ChildTask): ChildMember {
    const script = fileURLToPath(new URL('../../dist/testing/member-main.js', import.meta.url));
    const child = spawn(process.execPath, [script, JSON.stringify({ ...task, ...this.harness.child, wrong: this.wrong })], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    return {
      lines,
      signal: (signal) => child.kill(signal),
      tell: (line) => child.stdin.write(`${line}\n`),
      gone: () => this.eventually(() => child.exitCode !== null || child.signalCode !== null, () => 'the child still runs'),
    };
  }

  /** Asks until the answer is yes. The limit is for a busy machine, not the expected time; a wrong driver is not waited for that long. */
  async eventually(check: () => boolean | Promise<boolean>, otherwise: () => string, limitMs = 20_000): Promise<void> {
    const patienceMs = this.wrong === null ? limitMs : Math.min(limitMs, this.harness.sessionTimeoutMs + 2_000);
    const deadline = Date.now() + patienceMs;
    while (!(await check())) {
      if (Date.now() > deadline) throw new Error(`not within ${patienceMs} ms: ${otherwise()}`);
      await wait(10);
    }
  }

  applyRetention(liveGroups: readonly string[]): Promise<void> {
    return this.harness.applyRetention(this.wrong === 'forgets-what-is-unread' ? [] : liveGroups);
  }

  async close(): Promise<void> {
    for (const child of this.children) if (child.exitCode === null) child.kill('SIGKILL');
    await Promise.all(this.logs.map((log) => log.close()));
  }
}

export interface ChildTask {
  /** `handle`: prints the value of every record it has finished, `handleMs` after getting it. `hold`: prints the offset of the first record and commits past it when told to. */
  readonly behaviour: 'handle' | 'hold';
  readonly group: string;
  readonly topic: string;
  readonly handleMs: number;
}

export interface ChildMember {
  readonly lines: readonly string[];
  signal(signal: NodeJS.Signals): void;
  tell(line: string): void;
  gone(): Promise<void>;
}

export function expectThat(isTrue: boolean, otherwise: () => string): void {
  if (!isTrue) throw new Error(otherwise());
}

export function record(key: string | null, value: string, headers: LogRecord['headers'] = []): LogRecord {
  return { key: key === null ? null : Buffer.from(key), value: Buffer.from(value), headers };
}

export function textOf({ value }: StoredRecord): string {
  return value?.toString() ?? '';
}

export function sumOf(numbers: readonly bigint[]): bigint {
  return numbers.reduce((sum, number) => sum + number, 0n);
}

/** A door that lets handlers through once it is open. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

function watched(driver: LogDriver, held: Set<string>, onAskedBack: () => void): LogDriver {
  const names = (partitions: readonly TopicPartition[]): string[] => partitions.map(({ topic, partition }) => `${topic}/${partition}`);
  return driverOf(driver, {
    join: (request, events) =>
      driver.join(request, {
        assigned: (assignments) => {
          for (const name of names(assignments)) held.add(name);
          events.assigned(assignments);
        },
        revoked: async (partitions, how) => {
          onAskedBack();
          await events.revoked(partitions, how);
          for (const name of names(partitions)) held.delete(name);
        },
        deliver: (assignment, records) => events.deliver(assignment, records),
        crashed: (reason) => {
          held.clear();
          events.crashed(reason);
        },
      }),
  });
}
