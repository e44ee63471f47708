import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { temporaryFolder } from '../testing/simulation.js';
import { Journal } from './journal.js';
import type { JournalEntry } from './journal-entry.js';
import { KeptCalls } from './kept-calls.js';

/** A call held up past the end of its simulator wrote its line into whatever had the descriptor by then: a database connection, which the server ended for it. */
describe('a simulator that has ended', () => {
  const dataDir = temporaryFolder();
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

  /** Closed, its descriptor is the next one that is opened. */
  const whatIsWrittenAfter = async (close: () => void, write: () => void): Promise<string> => {
    const other = join(dataDir, 'other');
    close();
    const descriptor = openSync(other, 'w');
    write();
    await turn();
    closeSync(descriptor);
    return readFileSync(other, 'utf8');
  };

  it('writes no effect into another file', async () => {
    const journal = await Journal.open(dataDir, () => undefined);
    const answers: (Error | undefined)[] = [];
    expect(await whatIsWrittenAfter(() => journal.close(), () => {
      journal.append({ seq: 1 } as JournalEntry);
      journal.whenWritten((error) => answers.push(error));
    })).toBe('');
    expect(answers).toEqual([expect.objectContaining({ message: 'the journal is closed' })]);
  });

  it('writes no call into another file', async () => {
    const calls = KeptCalls.open(dataDir);
    expect(await whatIsWrittenAfter(() => calls.close(), () => calls.add({ atMs: 1, operation: 'write', path: '/' }))).toBe('');
  });
});
