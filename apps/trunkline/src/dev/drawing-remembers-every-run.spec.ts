import { SeenOnce } from './seen-once.js';

it('the drawing remembers only the runs that its next look can show again', () => {
  const drawn = new SeenOnce();
  for (let second = 0; second < 10_000; second += 1) {
    expect(drawn.isNew(`event-${second}`, second * 1_000)).toBe(true);
    expect(drawn.isNew(`event-${second}`, second * 1_000)).toBe(false);
    drawn.forgetBefore(second * 1_000 - 500);
  }
  expect(drawn.size).toBe(1);
});
