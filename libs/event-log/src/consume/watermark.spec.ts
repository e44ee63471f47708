import { Watermark } from './watermark.js';

describe('the watermark of a partition', () => {
  it('stays where the first unfinished record is, however many later ones are finished', () => {
    const watermark = new Watermark();
    const tickets = [5n, 6n, 7n, 8n].map((offset) => watermark.add(offset));
    for (const ticket of tickets.slice(1)) watermark.finish(ticket);
    expect(watermark.next).toBeNull();
    expect(watermark.gap).toBe(4);
    for (const ticket of tickets.slice(0, 1)) watermark.finish(ticket);
    expect(watermark.next).toBe(9n);
    expect(watermark.gap).toBe(0);
  });

  it('passes offsets that the log never shows', () => {
    const watermark = new Watermark();
    const tickets = [1n, 4n, 9n].map((offset) => watermark.add(offset));
    for (const ticket of tickets) watermark.finish(ticket);
    expect(watermark.next).toBe(10n);
  });

  it('agrees with a plain count over many records finished in any order', () => {
    const watermark = new Watermark();
    const tickets = Array.from({ length: 5_000 }, (_, index) => watermark.add(BigInt(index)));
    const finished = new Set<number>();
    let contiguous = 0;
    for (let step = 0; step < 5_000; step += 1) {
      const index = (step * 1_237) % 5_000;
      const ticket = tickets[index];
      if (ticket !== undefined) watermark.finish(ticket);
      finished.add(index);
      while (finished.has(contiguous)) contiguous += 1;
      expect(watermark.next ?? 0n).toBe(BigInt(contiguous));
      expect(watermark.gap).toBe(5_000 - contiguous);
    }
  });
});
