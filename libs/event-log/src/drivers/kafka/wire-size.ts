import type { LogRecord } from '../../port.js';

/** An estimate from above of what the record takes in a batch. */
export function wireSize({ key, value, headers }: LogRecord): number {
  const headerBytes = headers.reduce((sum, [name, bytes]) => sum + Buffer.byteLength(name) + bytes.length + 10, 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + headerBytes + 40;
}
