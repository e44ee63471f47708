import type { StepResult } from '@trunkline/contracts';
import type { EventLog } from '@trunkline/event-log';
import { Results } from './results.js';

const result: StepResult = { schema: 1, organisationId: 'o', runId: 'r', stepId: 's', dispatch: 1, integrationId: 'i', answer: { kind: 'outcome', outcome: { kind: 'expired' } }, call: null, worker: 'spec' };

it('sends each result, also one that comes in the very moment in which the one before it is done', async () => {
  const left: number[] = [];
  for (let turns = 0; turns < 20; turns += 1) {
    let appended = (): void => undefined;
    const append = (): Promise<never[]> => new Promise((resolve) => (appended = () => resolve([])));
    const results = new Results({ append } as unknown as EventLog, undefined);
    const first = results.send(result);
    await new Promise((resolve) => setImmediate(resolve));
    let isSent = false;
    appended();
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    const second = results.send(result).then(() => (isSent = true));
    await first;
    for (let round = 0; round < 3; round += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      appended();
    }
    await Promise.race([second, new Promise((resolve) => setImmediate(resolve))]);
    if (!isSent) left.push(turns);
  }
  expect(left).toEqual([]);
});
