import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { databaseLeases, type Leases } from './leases.js';
import { networkOf } from './network.js';
import { createRateLimiter, RateLimiter } from './rate-limiter.js';

const times = { waitMs: 20_000, pauseMs: 1_000 };

describe('rate limits', () => {
  let database: TestDatabase;
  let nowMs = 0;
  let isAway = false;
  let asked = 0;
  let leases: Leases;

  beforeAll(async () => {
    database = await openTestDatabase();
    // A window no test outlives; which window it is the database says, and where an hour ends a minute would begin anew.
    const real = databaseLeases(database.databases, 1_000_000_000);
    leases = {
      windowMs: 60_000,
      lease: async (...words) => {
        asked += 1;
        if (isAway) throw new Error('away');
        return { ...(await real.lease(...words)), endsInMs: 60_000 };
      },
      sweep: () => real.sweep(),
    };
  }, 60_000);
  afterAll(() => database.close());
  beforeEach(() => {
    isAway = false;
    asked = 0;
    nowMs = 1_000_000;
  });

  const gateway = (): RateLimiter => new RateLimiter(leases, () => nowMs, times);
  const admitted = async (limiter: RateLimiter, subject: string, quota: number, requests: number): Promise<number> => {
    const verdicts = await Promise.all(Array.from({ length: requests }, () => limiter.take(subject, quota)));
    return verdicts.filter(({ isAdmitted }) => isAdmitted).length;
  };

  it('admits exactly the quota through three gateways together', async () => {
    const subject = crypto.randomUUID();
    const counts = await Promise.all([gateway(), gateway(), gateway()].map((limiter) => admitted(limiter, subject, 200, 200)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(200);
  });

  it('asks the database twenty times for a whole quota, not once per request', async () => {
    const limiter = gateway();
    const subject = crypto.randomUUID();
    for (let request = 0; request < 1_000; request += 1) await limiter.take(subject, 1_000);
    expect(asked).toBeLessThanOrEqual(21);
    expect(await limiter.take(subject, 1_000)).toMatchObject({ isAdmitted: false, remaining: 0, quota: 1_000 });
    expect(asked).toBeLessThanOrEqual(21);
  });

  it('answers from memory, without a promise, while something is in hand', async () => {
    const limiter = gateway();
    const subject = crypto.randomUUID();
    await limiter.take(subject, 1_000);
    expect(limiter.take(subject, 1_000)).toMatchObject({ isAdmitted: true, resetSeconds: 60 });
  });

  it('says how many are left and when there will be more', async () => {
    const limiter = gateway();
    const subject = crypto.randomUUID();
    expect(await limiter.take(subject, 100)).toEqual({ isAdmitted: true, quota: 100, remaining: 99, resetSeconds: 60 });
    nowMs += 20_000;
    expect(await limiter.take(subject, 100)).toMatchObject({ remaining: 98, resetSeconds: 40 });
  });

  it('takes many at once whole or not at all', async () => {
    const limiter = gateway();
    const subject = crypto.randomUUID();
    expect(await limiter.take(subject, 100, 80)).toMatchObject({ isAdmitted: true, remaining: 20 });
    expect(await limiter.take(subject, 100, 30)).toMatchObject({ isAdmitted: false });
    expect(await limiter.take(subject, 100, 20)).toMatchObject({ isAdmitted: true, remaining: 0 });
  });

  it('serves on as much as in the last window while the database is away, and no more', async () => {
    const limiter = gateway();
    const subject = crypto.randomUUID();
    expect(await admitted(limiter, subject, 100, 30)).toBe(30);
    isAway = true;
    nowMs += 60_000;
    const alone = await admitted(limiter, subject, 100, 200);
    expect(alone).toBeGreaterThanOrEqual(30);
    expect(alone).toBeLessThan(100);
    nowMs += 60_000;
    expect(await admitted(limiter, subject, 100, 200)).toBe(alone);
  });

  it('gives a subject it never met one slice while the database is away, and asks it once a second', async () => {
    isAway = true;
    const limiter = gateway();
    expect(await admitted(limiter, crypto.randomUUID(), 100, 50)).toBe(5);
    expect(await admitted(limiter, crypto.randomUUID(), 100, 50)).toBe(5);
    expect(asked).toBe(1);
  });

  it('goes on alone when the database does not answer in time', async () => {
    const hanging = new RateLimiter({ windowMs: 60_000, lease: () => new Promise(() => undefined), sweep: async () => undefined }, () => nowMs, { waitMs: 20, pauseMs: 1_000 });
    expect(await hanging.take('anyone', 100)).toMatchObject({ isAdmitted: true });
  });

  it('asks nothing for the first requests of strangers, and counts them all the same', async () => {
    const limiter = gateway();
    for (let stranger = 0; stranger < 1_000; stranger += 1) await limiter.take(`stranger ${stranger}`, 100, 1, true);
    expect(asked).toBe(0);
    const subject = crypto.randomUUID();
    let count = 0;
    for (let request = 0; request < 200; request += 1) if ((await limiter.take(subject, 100, 1, true)).isAdmitted) count += 1;
    expect(count).toBe(100);
    expect(limiter.isSpent(subject)).toMatchObject({ isAdmitted: false });
    expect(limiter.isSpent('nobody')).toBeNull();
  });

  it('works over the real window of the database', async () => {
    const limiter = createRateLimiter({ databases: database.databases, times: { waitMs: 20_000 } });
    const verdict = await limiter.take(crypto.randomUUID(), 10);
    expect(verdict).toMatchObject({ isAdmitted: true, remaining: 9 });
    expect(verdict.resetSeconds).toBeLessThanOrEqual(60);
    await limiter.sweep();
  });

  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('counts %s as %s', (address, network) => expect(networkOf(address)).toBe(network));
});
