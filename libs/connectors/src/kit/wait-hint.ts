import type { WaitHint } from './error-rules.js';

/** Nothing an answer says makes us wait longer than this at once: a slip in a header must not stop an integration for a year. */
const longestWaitMs = 24 * 60 * 60 * 1000;

/** How long the answer asks to wait, by the first hint that can be read; null when it does not say. */
export function waitMsFrom(hints: readonly WaitHint[], answer: { readonly headers: Readonly<Record<string, string>>; readonly text: string }, nowMs: number): number | null {
  for (const hint of hints) {
    const waitMs = readHint(hint, answer, nowMs);
    if (waitMs !== null) return Math.min(longestWaitMs, Math.max(0, waitMs));
  }
  return null;
}

function readHint(hint: WaitHint, { headers, text }: { readonly headers: Readonly<Record<string, string>>; readonly text: string }, nowMs: number): number | null {
  switch (hint.in) {
    case 'retry-after':
      return retryAfterMs(headers['retry-after'], nowMs);
    case 'text': {
      const seconds = numberIn(hint.pattern.exec(text)?.[1]);
      return seconds === null ? null : seconds * 1000;
    }
    case 'header': {
      const value = numberIn(headers[hint.name]);
      if (value === null) return null;
      return hint.unit === 'ms' ? value : hint.unit === 'seconds' ? value * 1000 : value * 1000 - nowMs;
    }
    default:
      return hint satisfies never;
  }
}

/** RFC 9110 §10.2.3: delay in seconds, or an HTTP date (IMF-fixdate and the two obsolete forms). Some servers send fractions, which are read too. */
function retryAfterMs(value: string | undefined, nowMs: number): number | null {
  const seconds = numberIn(value);
  if (seconds !== null) return seconds * 1000;
  if (value === undefined || !/^[A-Za-z]{3,9},? /.test(value.trim())) return null;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : atMs - nowMs;
}

function numberIn(value: string | undefined): number | null {
  return value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : null;
}
