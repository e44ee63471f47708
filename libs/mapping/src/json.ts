import { MappingError } from './problem.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * The plain JSON of a CEL value, at most `mostBytes` of it; it stops as soon as that is passed, so that a small expression cannot make a large result.
 * 64-bit integers outside JavaScript's exact range become text.
 */
export function toJson(value: unknown, mostBytes: number): Json {
  let bytes = 0;
  const count = (more: number): void => {
    bytes += more;
    if (bytes > mostBytes) throw new MappingError('expression.too_large', `the result is larger than ${mostBytes} bytes`);
  };
  const convert = (part: unknown, depth: number): Json => {
    if (depth > 64) throw new MappingError('expression.too_large', 'the result is nested more than 64 deep');
    switch (typeof part) {
      case 'string':
        count(part.length + 2);
        if (part.length !== 0) count(Buffer.byteLength(part) - part.length);
        return part;
      case 'boolean':
        count(5);
        return part;
      case 'number':
        if (!Number.isFinite(part)) throw new MappingError('expression.failed', `the result holds ${part}, which JSON has no word for`);
        count(8);
        return part;
      case 'bigint':
        count(20);
        return part >= BigInt(Number.MIN_SAFE_INTEGER) && part <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(part) : part.toString();
      case 'object':
        return part === null ? (count(4), null) : convertObject(part, depth);
      default:
        throw new MappingError('expression.failed', `the result holds a ${typeof part}`);
    }
  };
  const convertObject = (part: object, depth: number): Json => {
    count(2);
    if (Array.isArray(part)) return part.map((item) => (count(1), convert(item, depth + 1)));
    if (part instanceof Date) return convert(part.toISOString(), depth);
    const entries = part instanceof Map ? [...part.entries()] : isPlain(part) ? Object.entries(part) : null;
    if (entries === null) return convert(scalarOf(part), depth);
    return Object.fromEntries(entries.map(([name, item]) => (count(String(name).length + 4), [String(name), convert(item, depth + 1)])));
  };
  return convert(value, 0);
}

/** CEL's own scalar types (`uint`, durations, bytes) as text or number. */
function scalarOf(part: object): unknown {
  if (part instanceof Uint8Array) return Buffer.from(part).toString('base64');
  const value = part.valueOf();
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  throw new MappingError('expression.failed', `the result holds a value of type ${part.constructor.name}, which is not JSON`);
}

function isPlain(part: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(part);
  return prototype === Object.prototype || prototype === null;
}
