/** A member in a process of its own, to be killed and frozen. Says on stdout, line by line, what it has done. */
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import type { Assignment, LogDriver, LogMember } from '../driver.js';
import { createEventLog } from '../event-log.js';
import type { StoredRecord } from '../port.js';
import type { ChildTask } from './lab.js';
import { wrongDrivers, type WrongDriver } from './wrong-drivers.js';

interface Task extends ChildTask {
  readonly module: string;
  readonly argument: string;
  readonly wrong: WrongDriver | null;
}

async function main(task: Task): Promise<void> {
  const { openDriver } = (await import(task.module)) as { openDriver: (argument: string) => Promise<LogDriver> };
  const driver = await openDriver(task.argument);
  const chosen = task.wrong === null ? driver : wrongDrivers[task.wrong](driver);
  if (task.behaviour === 'handle') await handle(chosen, task);
  else await hold(chosen, task);
}

async function handle(driver: LogDriver, { group, topic, handleMs }: Task): Promise<void> {
  await createEventLog(driver).consume({
    mode: 'per-key',
    group,
    topics: [topic],
    maxInFlight: 4,
    orderingKey: (record) => record.key?.toString() ?? '',
    async handleRecord(record) {
      await wait(handleMs);
      say(record.value?.toString() ?? '');
      return { kind: 'done' };
    },
  });
}

async function hold(driver: LogDriver, { group, topic }: Task): Promise<void> {
  let first: { readonly assignment: Assignment; readonly record: StoredRecord } | null = null;
  const member: LogMember = await driver.join(
    { group, topics: [topic], fetchRecords: 1 },
    {
      assigned: () => undefined,
      revoked: async () => undefined,
      crashed: () => undefined,
      deliver(assignment, [record]) {
        if (first !== null || record === undefined) return;
        first = { assignment, record };
        say(`got ${record.offset}`);
      },
    },
  );
  createInterface({ input: process.stdin }).on('line', () => {
    if (first === null) return;
    const { assignment, record } = first;
    member.commit([{ topic, partition: record.partition, epoch: assignment.epoch, next: record.offset + 1n }]).then(
      () => say('stored'),
      (error: unknown) => say(`refused ${error instanceof Error && 'code' in error ? String(error.code) : String(error)}`),
    );
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

void main(JSON.parse(process.argv[2] ?? '{}') as Task);
