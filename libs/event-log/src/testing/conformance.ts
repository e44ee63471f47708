import { byteCases } from './cases/bytes.js';
import type { Case } from './cases/case.js';
import { engineCases } from './cases/engine.js';
import { memberCases } from './cases/members.js';
import { orderAndCommitCases } from './cases/order-and-commit.js';
import type { Harness } from './harness.js';
import { Lab } from './lab.js';
import type { WrongDriver } from './wrong-drivers.js';

export const conformanceCases: readonly Case[] = [...orderAndCommitCases, ...memberCases, ...byteCases, ...engineCases];

/** What every engine promises, each promise also broken on purpose: a case that a wrong driver passes proves nothing. */
export function describeEventLog(name: string, start: () => Promise<Harness>): void {
  describe(`event log on ${name}`, () => {
    let harness: Harness;
    beforeAll(async () => {
      harness = await start();
    }, 60_000);
    afterAll(() => harness?.close(), 30_000);

    for (const one of conformanceCases) it(one.promise, () => runCase(one, harness, null), 120_000);

    describe('and a driver that', () => {
      for (const one of conformanceCases) {
        it(`${one.wrong} is found out`, async () => expect(runCase(one, harness, one.wrong)).rejects.toThrow(), 120_000);
      }
    });
  });
}

export async function runCase(one: Case, harness: Harness, wrong: WrongDriver | null): Promise<void> {
  const lab = new Lab(harness, wrong);
  try {
    await one.run(lab);
  } finally {
    await lab.close();
  }
}
