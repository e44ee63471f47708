import { KeyCache } from './key-cache.js';

const times = { freshMs: 30_000, staleMs: 900_000, waitMs: 20, pauseMs: 1_000 };

it('after a time-out leaves the database alone for a while, so that not every caller waits for one that hangs', async () => {
  let nowMs = 0;
  const asked: string[] = [];
  const cache = new KeyCache<string>(
    (key) => {
      asked.push(key);
      return new Promise(() => undefined);
    },
    () => true,
    times,
    () => nowMs,
  );
  expect(await cache.look('one')).toMatchObject({ kind: 'away', reason: { message: 'no answer within 20 ms' } });
  expect(await cache.look('two')).toMatchObject({ kind: 'away', reason: { message: 'no answer within 20 ms' } });
  expect(asked).toEqual(['one']);
  nowMs += times.pauseMs;
  await cache.look('two');
  expect(asked).toEqual(['one', 'two']);
});
