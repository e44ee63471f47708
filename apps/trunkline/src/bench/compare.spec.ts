import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compare, differences, readResult } from './compare.js';
import type { BenchResult } from './result.js';

function result(platform: number, unitMicros: number, rate = 100): BenchResult {
  return { options: { scenario: 'chain', driver: 'postgres', rate }, eventsPerSecond: rate, cpuMsPerEvent: { platform }, peakMiB: null, milliseconds: { endToEnd: { p50: 10, p95: null } }, calibration: { unitMicros, fdatasyncMicros: 0 } } as unknown as BenchResult;
}

describe('two results side by side', () => {
  it('are told as ratios, processor time also without the machines', () => {
    const lines = compare(result(3, 10), result(4.5, 20));
    expect(lines).toContainEqual({ figure: 'cpuMsPerEvent.platform', a: 3, b: 4.5, ratio: 1.5, calibrated: 0.75 });
    expect(lines).toContainEqual({ figure: 'milliseconds.endToEnd.p50', a: 10, b: 10, ratio: 1, calibrated: null });
  });

  it('leave out what only one of them has, and divide nothing by zero', () => {
    const lines = compare(result(3, 10), result(3, 10));
    expect(lines.map(({ figure }) => figure)).not.toContain('milliseconds.endToEnd.p95');
    expect(lines).toContainEqual({ figure: 'calibration.fdatasyncMicros', a: 0, b: 0, ratio: null, calibrated: null });
  });

  it('are refused when they are of two scenarios', () => {
    const other = { ...result(3, 10), options: { scenario: 'drain', driver: 'postgres', rate: 0 } } as unknown as BenchResult;
    expect(() => compare(result(3, 10), other)).toThrow(expect.objectContaining({ code: 'command.bench_not_comparable', message: expect.stringContaining('one is of chain, the other of drain') as unknown }));
  });

  it('say when they answer different questions', () => {
    expect(differences(result(1, 1, 100), result(1, 1, 20))).toEqual(['rate: 100 and 20']);
    expect(differences(result(1, 1), result(2, 2))).toEqual([]);
  });
});

describe('a saved result', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-compare-'));
  const file = join(folder, 'a.json');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is read as it was saved', () => {
    const saved = { ...result(3, 10), format: 'trunkline-bench/2' };
    writeFileSync(file, JSON.stringify(saved));
    expect(readResult(file)).toEqual(saved);
  });

  it.each([
    ['', 'is empty'],
    ['events/s 400', 'holds no JSON'],
    ['{"format":"trunkline-bench/2","options":{"sce', 'holds no JSON'],
    ['null', 'was not written by bench --save'],
    ['[1, 2]', 'was not written by bench --save'],
    ['{"name":"something else"}', 'was not written by bench --save'],
    ['{"format":"trunkline-bench/1","options":{"scenario":"chain"},"calibration":{"unitMicros":10}}', 'was not written by bench --save of this version'],
    ['{"format":"trunkline-bench/2"}', 'was not written by bench --save'],
  ])('%j is refused: it %s', (text, why) => {
    writeFileSync(file, text);
    expect(() => readResult(file)).toThrow(expect.objectContaining({ code: 'command.bench_not_comparable', message: expect.stringContaining(why) as unknown }));
  });

  it('that is not there is named, and so is one that cannot be read', () => {
    expect(() => readResult(join(folder, 'none.json'))).toThrow(`there is no file ${join(folder, 'none.json')}`);
    expect(() => readResult(folder)).toThrow('cannot be read (EISDIR)');
  });
});
