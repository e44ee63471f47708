import { databaseClock, isBetter } from './clock.js';

describe('the offset of the database clock', () => {
  const aheadMs = 300;
  /** A database that answers each question in the middle of its round trip, except one that it froze over: that one is answered at the end. */
  const measured = async (roundTripsMs: readonly number[], answers = Infinity) => {
    let localMs = 1_000_000;
    let asked = 0;
    const query = async () => {
      const roundTripMs = roundTripsMs[Math.min(asked, roundTripsMs.length - 1)] ?? 0;
      asked += 1;
      if (asked > answers) throw new Error('Connection terminated unexpectedly');
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

  it('is that of the only answer where the database then goes away', async () => {
    const { offsetMs, uncertaintyMs } = await measured([900], 1);
    expect(Math.abs(offsetMs - aheadMs)).toBeLessThanOrEqual(uncertaintyMs);
  });

  it('is the best of four where none is good, and says how wrong it may be', async () => {
    const { offsetMs, uncertaintyMs, asked } = await measured([900, 400, 700, 600, 2]);
    expect(asked).toBe(4);
    expect(uncertaintyMs).toBe(201);
    expect(Math.abs(offsetMs - aheadMs)).toBeLessThanOrEqual(uncertaintyMs);
  });
});

describe('a new measurement', () => {
  const known = (uncertaintyMs: number) => ({ offsetMs: 0, uncertaintyMs });

  it('takes the place of one that is no better, and of every one at first', () => {
    expect([isBetter(known(2), known(2), 10_000), isBetter(known(6), known(1), 10_000), isBetter(known(900), known(Infinity), 0)]).toEqual([true, true, true]);
  });

  it('does not where it is poor and the one before still good', () => {
    expect([isBetter(known(900), known(1), 30_000), isBetter(known(900), known(1), 900_000)]).toEqual([false, true]);
  });
});
