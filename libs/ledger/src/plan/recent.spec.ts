import { Recent } from './recent.js';

describe('what is kept of chain versions', () => {
  let nowMs = 0;
  const open = (most: number): Recent<number> => new Recent(most, 1_000, () => nowMs);

  it('does not grow with every name a sender makes up', () => {
    const recent = open(10);
    for (let index = 0; index < 1_000; index += 1) {
      nowMs += 200;
      recent.set(`assistant ${index}`, index);
    }
    expect(recent.size).toBe(10);
    expect([recent.get('assistant 0'), recent.get('assistant 999')]).toEqual([undefined, 999]);
  });

  it('drops the longest unused, and nothing that was used a moment ago', () => {
    const recent = open(2);
    recent.set('used', 1);
    recent.set('idle', 2);
    nowMs += 2_000;
    recent.get('used');
    recent.set('third', 3);
    recent.set('fourth', 4);
    expect(['used', 'idle', 'third', 'fourth'].map((name) => recent.get(name))).toEqual([1, undefined, 3, 4]);
  });
});
