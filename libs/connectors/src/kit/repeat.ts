import type { CallTemplate, ResultPaths } from './call-template.js';
import type { Preparation } from './preparation.js';

/** How a write may be repeated (P4). */
export type Repeat =
  /** The provider remembers our key for `ttlMs` and answers a repeat as it answered the first. */
  | { readonly method: 'key'; readonly header: string; readonly ttlMs: number; readonly source: string; readonly search?: Search }
  /** One request is atomic on a unique field that holds our reference. */
  | { readonly method: 'upsert'; readonly field: string; readonly source: string }
  /** After doubt the record is looked for by our reference before anything is written again. */
  | { readonly method: 'search-first'; readonly search: Search }
  /** After doubt somebody has to look. */
  | { readonly method: 'never' };

/** Finds what an earlier dispatch may have written. */
export interface Search {
  readonly prepare?: readonly Preparation[];
  readonly call: CallTemplate;
  /** Path of the list in the answer's body. */
  readonly rows: string;
  /** The field of a row that carries our reference, as a whole (`equals`) or inside a text (`contains`); both sides are templates. */
  readonly matches: { readonly path: string; readonly equals: string } | { readonly path: string; readonly contains: string };
  /** As the write's result; read from the row (or the scope, as `{…}`). */
  readonly result: ResultPaths;
  readonly externalId: string;
  readonly pages?: { readonly parameter: string; readonly size: number; readonly most: number };
  readonly bounds: SearchBounds;
}

/** Without both bounds a search may find but never prove absence (delivery §8). Settings of the integration override them. */
export interface SearchBounds {
  /** By when a write that was on its way has happened, if it happens at all. */
  readonly commitWithinMs: number | null;
  /** By when the search shows what has been written. */
  readonly visibleAfterMs: number | null;
  readonly source: string;
}

/** Names of the settings by which an administrator states the bounds for one integration. */
export const boundSettings = { commitWithinMs: 'search_commit_within_ms', visibleAfterMs: 'search_visible_after_ms' } as const;

export const key = (header: string, rest: { readonly ttlMs: number; readonly source: string; readonly search?: Search }): Repeat => ({ method: 'key', header, ...rest });
export const upsert = (field: string, rest: { readonly source: string }): Repeat => ({ method: 'upsert', field, ...rest });
export const searchFirst = (search: Search): Repeat => ({ method: 'search-first', search });
export const never = (): Repeat => ({ method: 'never' });

export function searchOf(repeat: Repeat): Search | undefined {
  return repeat.method === 'search-first' || repeat.method === 'key' ? repeat.search : undefined;
}

export function boundsOf(search: Search, settings: Readonly<Record<string, unknown>>): { readonly commitWithinMs: number | null; readonly visibleAfterMs: number | null } {
  return {
    commitWithinMs: durationIn(settings[boundSettings.commitWithinMs]) ?? search.bounds.commitWithinMs,
    visibleAfterMs: durationIn(settings[boundSettings.visibleAfterMs]) ?? search.bounds.visibleAfterMs,
  };
}

function durationIn(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}
