import { TokenCache, type TokenAnswer } from './tokens.js';

function cacheAt(): { readonly cache: TokenCache; readonly clock: { nowMs: number }; readonly fetches: { count: number }; fetch(): Promise<TokenAnswer> } {
  const clock = { nowMs: 0 };
  const fetches = { count: 0 };
  return {
    cache: new TokenCache(() => clock.nowMs),
    clock,
    fetches,
    fetch: () => {
      fetches.count += 1;
      return Promise.resolve({ kind: 'token', token: { value: `token-${fetches.count}`, expiresAtMs: clock.nowMs + 1_000 } });
    },
  };
}

it('fetches once for a thousand callers at once', async () => {
  const { cache, fetch, fetches } = cacheAt();
  await Promise.all(Array.from({ length: 1_000 }, () => cache.get('a', fetch)));
  expect(fetches.count).toBe(1);
});

it('fetches again when the token has grown old', async () => {
  const { cache, fetch, fetches, clock } = cacheAt();
  await cache.get('a', fetch);
  clock.nowMs = 1_001;
  await cache.get('a', fetch);
  expect(fetches.count).toBe(2);
});

it('keeps a newer token when an older one is refused late', async () => {
  const { cache, fetch } = cacheAt();
  const first = await cache.get('a', fetch);
  if (first.kind !== 'token') throw new Error('no token');
  cache.drop('a', first.token);
  await cache.get('a', fetch);
  cache.drop('a', first.token);
  expect(await cache.get('a', fetch)).toMatchObject({ token: { value: 'token-2' }, isFresh: false });
});

it('does not keep a failure', async () => {
  const { cache, fetch, fetches } = cacheAt();
  expect(await cache.get('a', () => Promise.resolve({ kind: 'none', failure: { class: 'transient', code: 'x', message: 'y' } }))).toMatchObject({ kind: 'none' });
  expect(await cache.get('a', fetch)).toMatchObject({ kind: 'token' });
  expect(fetches.count).toBe(1);
});
