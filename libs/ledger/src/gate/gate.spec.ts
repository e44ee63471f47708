import { Gate } from './gate.js';

const nowMs = 1_000_000;
const open = { provider: 'bench', settings: {}, isPaused: false, openAtMs: 0, reason: null };

describe('one gate', () => {
  const fast = (): Gate => {
    const gate = new Gate('organisation', 'integration', 512);
    gate.update(open, nowMs, () => 0.5);
    for (let index = 0; index < 100; index += 1) gate.answered(`done ${index}`, 'done', nowMs);
    return gate;
  };

  it('lets through what is finished in ten seconds and a fifth more', () => {
    expect(fast().cap(nowMs)).toBe(124);
    expect(fast().cap(nowMs + 11_000)).toBe(4);
  });

  it('halves what may be in flight with every command that came too late, and never below one', () => {
    const gate = fast();
    const caps = Array.from({ length: 8 }, (_, index) => {
      gate.answered(`late ${index}`, 'expired', nowMs);
      return gate.cap(nowMs);
    });
    expect(caps).toEqual([62, 31, 15, 7, 3, 1, 1, 1]);
  });

  it('takes one more with every answer after that', () => {
    const gate = fast();
    gate.answered('late', 'expired', nowMs);
    gate.answered('done', 'done', nowMs);
    expect(gate.cap(nowMs)).toBe(63);
  });

  it('spreads a reopening over the last of its wait, and forgets that when it is opened by hand', () => {
    const gate = fast();
    gate.update({ ...open, openAtMs: nowMs + 60_000, reason: 'throttled' }, nowMs, () => 0.5);
    expect([gate.room(nowMs), gate.room(nowMs + 60_400), gate.room(nowMs + 60_500)]).toEqual([0, 0, 4]);
    gate.update(open, nowMs + 1_000, () => 0.5);
    expect(gate.room(nowMs + 1_000)).toBeGreaterThan(0);
  });
});
