import { Kept } from './kept.js';

describe('a kept answer', () => {
  let nowMs = 0;
  const limits = { freshMs: 30, staleMs: 900, waitMs: 1_000, entries: 2 };
  const kept = (): Kept<string> => new Kept(limits, () => nowMs);
  const away = (): Promise<string> => Promise.reject(new Error('away'));

  beforeEach(() => (nowMs = 0));

  it('is used while fresh and asked for again after', async () => {
    const answers = kept();
    await answers.get('k', async () => 'one');
    nowMs = 29;
    expect(await answers.get('k', async () => 'two')).toBe('one');
    nowMs = 31;
    expect(await answers.get('k', async () => 'two')).toBe('two');
  });

  it('stands in while its origin is away, but not for ever', async () => {
    const answers = kept();
    await answers.get('k', async () => 'one');
    nowMs = 899;
    expect(await answers.get('k', away)).toBe('one');
    nowMs = 901;
    await expect(answers.get('k', away)).rejects.toThrow('away');
  });

  it('is gone once its origin says so', async () => {
    const answers = kept();
    await answers.get('k', async () => 'one');
    nowMs = 31;
    expect(await answers.get('k', async () => null)).toBeNull();
    await expect(answers.get('k', away)).rejects.toThrow('away');
  });

  it('is asked for once, however many wait', async () => {
    const answers = kept();
    let asked = 0;
    const ask = async (): Promise<string> => `${(asked += 1)}`;
    expect(await Promise.all([answers.get('k', ask), answers.get('k', ask)])).toEqual(['1', '1']);
  });

  it('makes room by forgetting the oldest', async () => {
    const answers = kept();
    for (const key of ['a', 'b', 'c']) await answers.get(key, async () => key);
    expect([answers.peek('a'), answers.peek('b'), answers.peek('c')]).toEqual([undefined, 'b', 'c']);
  });
});
