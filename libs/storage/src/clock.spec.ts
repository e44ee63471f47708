import { databaseClock } from './clock.js';

describe('the offset of the database clock', () => {
  const aheadMs = 300;
  /** A database that answers each question in the middle of its round trip, except one that it froze over: that one is answered at the end. */
  const measured = async (roundTripsMs: readonly number[]) => {
    let localMs = 1_000_000;
    let asked = 0;
    const query = async () => {
      const roundTripMs = roundTripsMs[Math.min(asked, roundTripsMs.length - 1)] ?? 0;
      asked += 1;
      localMs += roundTripMs - 1;
      const answer = { rows: [{ now_ms: String(localMs + aheadMs) }] };
      localMs += 1;
      return Promise.resolve(answer);
    };
    const offset = await databaseClock({ query: query as never }, () => localMs).offset();
    return { ...offset, asked };
  };

  it('is asked for once where the answer comes at once', async () => {
    const { offsetMs, uncertaintyMs, asked } = await measured([2]);
    expect(asked).toBe(1);
    expect(Math.abs(offsetMs - aheadMs)).toBeLessThanOrEqual(uncertaintyMs);
    expect(uncertaintyMs).toBeLessThanOrEqual(2);
  });

  it('is not half of the time for which the database stood still', async () => {
    const { offsetMs, asked } = await measured([4_000, 2]);
    expect(asked).toBe(2);
    expect(Math.abs(offsetMs - aheadMs)).toBeLessThanOrEqual(2);
  });

  it('is the best of four where none is good, and says how wrong it may be', async () => {
    const { offsetMs, uncertaintyMs, asked } = await measured([900, 400, 700, 600, 2]);
    expect(asked).toBe(4);
    expect(uncertaintyMs).toBe(201);
    expect(Math.abs(offsetMs - aheadMs)).toBeLessThanOrEqual(uncertaintyMs);
  });
});
