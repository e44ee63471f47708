import { measuredClock } from './clock.js';

const database = { system: { query: async () => ({ rows: [{ now_ms: '5000' }] }) } } as unknown as Parameters<typeof measuredClock>[0];
const clockWith = async (logOffsetMs: Parameters<typeof measuredClock>[1]) => {
  const clock = measuredClock(database, logOffsetMs, () => 1_000);
  await clock.measure();
  return clock;
};

describe('the clock of the ledger', () => {
  it('is sure of the log\'s times where the log lives in the database', async () => {
    const clock = await clockWith(null);
    expect([clock.nowMs(), clock.fromLogMs(4_900), clock.errorMs]).toEqual([5_000, 4_900, 6]);
  });

  it('is sure of nothing while the log\'s clock is unknown: every list of versions is read again, nothing unread is young enough', async () => {
    expect((await clockWith(() => null)).errorMs).toBe(Infinity);
  });

  it('counts what the measurement of the log\'s clock may be wrong by', async () => {
    const clock = await clockWith(() => 3_000);
    expect(clock.fromLogMs(4_000)).toBe(5_000);
    expect(clock.errorMs).toBeGreaterThan(50);
    expect(clock.driftMs()).toBe(1_000);
  });
});
