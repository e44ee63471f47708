/** Cuts JSON text into pieces without parsing it, so that an event's data stays the bytes its sender wrote. Nothing here recurses. */

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The elements of an array's text, or null when the text is not an array in form. Each element still has to be parsed on its own. */
export function arrayElements(json: Buffer): readonly Buffer[] | null {
  let at = afterSpace(json, 0);
  if (json[at] !== openBracket) return null;
  at = afterSpace(json, at + 1);
  const elements: Buffer[] = [];
  if (json[at] === closeBracket) return afterSpace(json, at + 1) === json.length ? elements : null;
  for (;;) {
    const end = afterValue(json, at);
    if (end === at) return null;
    elements.push(json.subarray(at, end));
    at = afterSpace(json, end);
    if (json[at] === closeBracket) return afterSpace(json, at + 1) === json.length ? elements : null;
    if (json[at] !== comma) return null;
    at = afterSpace(json, at + 1);
  }
}

/** The members of an object's text that has already been parsed once, by name; null when a name is repeated. */
export function objectMembers(json: Buffer): ReadonlyMap<string, Buffer> | null {
  const members = new Map<string, Buffer>();
  let at = afterSpace(json, afterSpace(json, 0) + 1);
  while (at < json.length && json[at] === quote) {
    const nameEnd = afterValue(json, at);
    const name: unknown = JSON.parse(json.toString('utf8', at, nameEnd));
    at = afterSpace(json, nameEnd);
    if (json[at] !== colon || typeof name !== 'string') return null;
    at = afterSpace(json, at + 1);
    const end = afterValue(json, at);
    if (members.has(name)) return null;
    members.set(name, json.subarray(at, end));
    at = afterSpace(json, end);
    if (json[at] !== comma) break;
    at = afterSpace(json, at + 1);
  }
  return members;
}

/** Whether an object anywhere in this text, which has already been parsed once, has two members of one name: which of them counts would be the parser's choice. */
export function repeatsName(json: Buffer): boolean {
  const waiting = [json];
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    const first = value[afterSpace(value, 0)];
    if (first === openBracket) waiting.push(...nestedIn(arrayElements(value) ?? []));
    if (first !== openBrace) continue;
    const members = objectMembers(value);
    if (members === null) return true;
    waiting.push(...nestedIn([...members.values()]));
  }
  return false;
}

function nestedIn(values: readonly Buffer[]): readonly Buffer[] {
  return values.filter((value) => value[0] === openBrace || value[0] === openBracket);
}

function afterSpace(json: Buffer, from: number): number {
  let at = from;
  while (json[at] === 0x20 || json[at] === 0x0a || json[at] === 0x0d || json[at] === 0x09) at += 1;
  return at;
}

/** Where the value that starts here ends; the same place when there is none. */
function afterValue(json: Buffer, from: number): number {
  const first = json[from];
  if (first === quote) return afterString(json, from);
  if (first === openBrace || first === openBracket) return afterNested(json, from);
  let at = from;
  while (at < json.length && !endsScalar(json[at])) at += 1;
  return at;
}

function afterString(json: Buffer, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== quote) at += json[at] === backslash ? 2 : 1;
  return Math.min(at + 1, json.length);
}

function afterNested(json: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  while (at < json.length) {
    const byte = json[at];
    if (byte === quote) {
      at = afterString(json, at);
      continue;
    }
    if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return at;
}

function endsScalar(byte: number | undefined): boolean {
  return byte === comma || byte === closeBracket || byte === closeBrace || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
