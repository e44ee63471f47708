import { Budget } from './budget.js';

const windowMs = 10_000;
const allowed = 100;

/** Found by `trunkline chaos` on an overloaded machine: 571 calls where 507 were allowed. Each call reaches the provider some time after its grant; on the provider's side no window may hold more than its limit. */
it.each([0, 500, 1_500, 4_000])('keeps to the limit where the provider counts, although calls are up to %d ms on their way', (mostMs) => {
  const budget = new Budget([{ name: 'w', calls: allowed, windowMs }]);
  const arrivals: number[] = [];
  const under: { readonly endsAtMs: number; readonly grantedAtMs: number }[] = [];
  let random = 1;
  const next = (): number => (random = (random * 16_807) % 2_147_483_647) / 2_147_483_647;
  for (let nowMs = 0; nowMs < 120_000; nowMs += 10) {
    for (const call of under.filter(({ endsAtMs }) => endsAtMs <= nowMs)) budget.ended(1, call.grantedAtMs, nowMs);
    under.splice(0, under.length, ...under.filter(({ endsAtMs }) => endsAtMs > nowMs));
    // Held up now and then, all together, as by a busy machine.
    const onItsWayMs = Math.floor(nowMs / 5_000) % 2 === 0 ? mostMs * next() : 0;
    const reserved = budget.reserve(1, nowMs, 0);
    if (reserved.kind === 'denied') continue;
    arrivals.push(reserved.atMs + onItsWayMs);
    under.push({ endsAtMs: reserved.atMs + onItsWayMs, grantedAtMs: reserved.atMs });
  }
  arrivals.sort((one, other) => one - other);
  const most = Math.max(...arrivals.map((from) => arrivals.filter((at) => at >= from && at < from + windowMs).length));
  expect(most).toBeLessThanOrEqual(allowed);
  // And it is used: no more than a tenth of the time is lost beside what the delays themselves cost.
  expect(arrivals.length).toBeGreaterThan((0.9 * 120_000 * allowed) / (windowMs + windowMs / 60 + mostMs));
});
