import { readSyncLedgerConfig } from './config.js';

const environment = { DATABASE_URL: 'postgres://localhost/trunkline' };

describe('the ledger\'s configuration', () => {
  it('keeps ended runs for no less than 30 days: a repeated event is known by its run', () => {
    expect(readSyncLedgerConfig({ ...environment, KEEP_RUNS_DAYS: '30' }).keepRunsDays).toBe(30);
    expect(() => readSyncLedgerConfig({ ...environment, KEEP_RUNS_DAYS: '29' })).toThrow(/KEEP_RUNS_DAYS/);
  });
});
