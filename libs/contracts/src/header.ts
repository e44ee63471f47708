import type { RegisteredError } from './error.js';

export type RecordHeader = readonly [name: string, value: Buffer];

export interface HeaderReader {
  text(name: string): string;
  integer(name: string): number;
  optional(name: string): string | null;
}

/** Reads headers by name (the first of repeated ones); what is missing or malformed throws the given error. */
export function headerReader(headers: readonly RecordHeader[], unreadable: RegisteredError): HeaderReader {
  const first = new Map<string, Buffer>();
  for (const [name, value] of headers) if (!first.has(name)) first.set(name, value);
  const text = (name: string): string => {
    const value = first.get(name);
    if (value === undefined) throw unreadable.because(`header ${name} is missing`);
    return value.toString('utf8');
  };
  return {
    text,
    integer: (name) => {
      const value = Number(text(name));
      if (!Number.isSafeInteger(value)) throw unreadable.because(`header ${name} is not a whole number`);
      return value;
    },
    optional: (name) => first.get(name)?.toString('utf8') ?? null,
  };
}
