const shown = '[redacted]';

/** Names whose values are never printed, however deep. */
const secretNames = /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|api[-_]?key|password|passwd|secret|token|credentials|private[-_]?key|master[-_]?keys?|assertion|signature|database[-_]?url)$|(?:client|shared|signing|webhook)[-_]?secret$|(?:access|refresh|id|session|bearer)[-_]?token$/i;

/** Secrets inside text: what follows a scheme word, our own keys, passwords in addresses, tokens in queries. */
const secretText: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${shown}`],
  [/\btl_([0-9a-f]{16})_[\w-]{16,}/g, `tl_$1_${shown}`],
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi, `$1:${shown}@`],
  [/([?&;](?:access_token|refresh_token|id_token|token|code|client_secret|api_?key|sig|signature|password)=)[^\s&;#"']+/gi, `$1${shown}`],
];

const deepest = 8;
const longest = 8_192;

export function redactText(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
  return secretText.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), cut);
}

/** A copy that is safe to print: secret names and texts masked, bytes as their length, depth and length bounded, circles cut. */
export function redact(value: unknown): unknown {
  return walk(value, 0, new Set());
}

function walk(value: unknown, depth: number, above: ReadonlySet<object>): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= deepest || above.has(value)) return '[…]';
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  const inside = new Set(above).add(value);
  if ('toJSON' in value && typeof value.toJSON === 'function') return walk(value.toJSON(), depth + 1, inside);
  if (isError(value)) return describeError(value, depth, inside);
  if (Array.isArray(value)) return value.map((entry) => walk(entry, depth + 1, inside));
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, maskOr(name, entry, () => walk(entry, depth + 1, inside))]));
}

function maskOr(name: string, entry: unknown, otherwise: () => unknown): unknown {
  return secretNames.test(name) && entry !== null && entry !== undefined ? shown : otherwise();
}

/** By shape: errors may come from another realm. */
function isError(value: object): value is Error {
  return 'stack' in value && 'message' in value && typeof value.message === 'string';
}

/** A registered error has its code, class and facts as fields of its own; the stack stays in the log and goes nowhere else. */
function describeError(error: Error, depth: number, above: ReadonlySet<object>): unknown {
  const own = Object.fromEntries(Object.entries(error).filter(([name]) => !['name', 'message', 'stack', 'cause', 'definition'].includes(name)));
  return {
    type: error.name,
    ...('code' in error ? { code: error.code } : {}),
    message: redactText(error.message),
    ...Object.fromEntries(Object.entries(own).map(([name, entry]) => [name, maskOr(name, entry, () => walk(entry, depth + 1, above))])),
    ...(error.cause === undefined ? {} : { cause: walk(error.cause, depth + 1, above) }),
    ...(typeof error.stack === 'string' ? { stack: redactText(error.stack) } : {}),
  };
}
