import { parseStat, readProcessFigures, sharesBelow, type ProcessLine } from './process-figures.js';

describe('the processes of a bench', () => {
  it('are read from /proc, also when a name holds brackets', () => {
    const text = '4242 (a (b) c) S 17 4242 4242 0 -1 4194560 100 200 0 0 31 7 100 20 20 0 11 0 1000 0 0';
    expect(parseStat(text)).toEqual({ pid: 4242, parent: 17, name: 'a (b) c', ownTicks: 38, ticks: 158 });
  });

  it('are told apart by what they run; children go with their parent', () => {
    const line = (pid: number, parent: number, name: string): ProcessLine => ({ pid, parent, name, ticks: 0, ownTicks: 0 });
    const lines = [line(1, 0, 'init'), line(12, 11, 'postgres'), line(10, 1, 'node'), line(11, 10, 'postgres'), line(13, 10, 'node'), line(14, 10, 'java'), line(15, 10, 'node'), line(99, 1, 'postgres')];
    const found = sharesBelow(lines, 10, (pid) => (pid === 13 ? 'node trunkline.mjs sim genesys' : 'node other'));
    expect(Object.fromEntries(found.map(([{ pid }, share]) => [pid, share]))).toEqual({ 10: 'services', 11: 'database', 12: 'database', 13: 'simulators', 14: 'broker', 15: 'services' });
  });

  (process.platform === 'linux' ? it : it.skip)('show the time this one has used', () => {
    expect(readProcessFigures(process.pid, process.pid, true)).toMatchObject({ cpuMs: { generator: expect.any(Number) as number }, memoryMiB: { services: expect.any(Number) as number } });
    expect(readProcessFigures(process.pid, process.pid, true)?.memoryMiB.generator).toBeGreaterThan(1);
  });
});
