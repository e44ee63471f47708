import { FlushLoop } from './flush-loop.js';
import type { Item } from './item.js';

const items = (count: number): Item[] => Array.from({ length: count }, (_, index): Item => ({ kind: 'due', due: 'gate', organisationId: 'o', runId: String(index), stepId: 's' }));

describe('the flush loop', () => {
  it('splits what is submitted into transactions of the most allowed, however much it is', async () => {
    const sizes: number[] = [];
    const loop = new FlushLoop(async (batch) => void sizes.push(batch.length), 10);
    await loop.submit(items(25));
    expect(sizes).toEqual([10, 10, 5]);
  });

  it('rejects when a part was not taken, and works in the others', async () => {
    const taken: string[] = [];
    const loop = new FlushLoop(async (batch) => {
      if (batch.some((item) => item.runId === '5')) throw new Error('away');
      taken.push(...batch.map((item) => item.runId ?? ''));
    }, 4);
    await expect(loop.submit(items(9))).rejects.toThrow('away');
    await loop.idle();
    expect(taken).toEqual(['0', '1', '2', '3', '8']);
  });
});
