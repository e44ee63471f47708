import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How quick this machine is at the moment: figures of two machines are compared as multiples of these. */
export interface Calibration {
  /** Processor time of one unit of work like the platform's: parse, write and hash a small event. The best of several slices, since neighbours only make it worse. */
  readonly unitMicros: number;
  readonly fdatasyncMicros: number;
}

const slices = 6;
const unitsPerSlice = 4_000;
const text = JSON.stringify({ specversion: '1.0', type: 'conversation_ended', id: 'calibration', data: { summary: 'x'.repeat(600), list: Array.from({ length: 20 }, (_, index) => ({ index, name: `name ${index}` })) } });

export function calibrate(folder: string): Calibration {
  const each = Array.from({ length: slices }, () => {
    const before = process.cpuUsage();
    for (let unit = 0; unit < unitsPerSlice; unit += 1) createHash('sha256').update(JSON.stringify(JSON.parse(text))).digest('hex');
    const used = process.cpuUsage(before);
    return (used.user + used.system) / unitsPerSlice;
  });
  return { unitMicros: Math.round(Math.min(...each) * 100) / 100, fdatasyncMicros: syncMicros(folder) };
}

function syncMicros(folder: string): number {
  const file = join(folder, 'calibration');
  const handle = openSync(file, 'w');
  const page = Buffer.alloc(8192, 1);
  const took = Array.from({ length: 100 }, () => {
    const start = performance.now();
    writeSync(handle, page, 0, page.length, 0);
    fdatasyncSync(handle);
    return performance.now() - start;
  }).toSorted((one, other) => one - other);
  closeSync(handle);
  rmSync(file);
  return Math.round((took[50] ?? 0) * 1000);
}
