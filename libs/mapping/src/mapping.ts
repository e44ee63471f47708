import { chainRoots, compileExpression, type Context } from './expression.js';
import { toJson, type Json } from './json.js';
import { parsePath, readPath, type Path } from './path.js';
import { MappingError } from './problem.js';

/**
 * One row of a mapping table. `path` copies a value, and leaves the target out where the path is missing (a null is copied as null); `cel` is an expression,
 * for which a missing field is an error unless it says `has` or `default`; `value` is itself.
 */
export type MappingRule = { readonly path: string } | { readonly cel: string } | { readonly value: Json };
/** Target → rule; `a.b` is `b` inside `a`. */
export type MappingTable = Readonly<Record<string, unknown>>;

export interface Mapping {
  readonly reads: readonly Path[];
  /** Throws a MappingError that names the target. */
  map(context: Context): { readonly [name: string]: Json };
}

export const mappingLimits = { targets: 200, bytes: 256 * 1024 } as const;

interface Row {
  readonly target: readonly string[];
  readonly name: string;
  readonly reads: readonly Path[];
  /** Undefined: leave the target out. */
  evaluate(context: Context): Json | undefined;
}

export function compileMapping(table: MappingTable, { roots = chainRoots }: { readonly roots?: readonly string[] } = {}): Mapping {
  const rows = Object.entries(table).map(([name, rule]) => naming(name, () => compileRow(name, rule, roots)));
  if (rows.length > mappingLimits.targets) throw new MappingError('mapping.syntax', `a mapping has at most ${mappingLimits.targets} targets`);
  refuseOverlaps(rows);
  return {
    reads: rows.flatMap((row) => row.reads),
    map: (context) => {
      const made: Record<string, Json> = {};
      for (const row of rows) {
        const value = naming(row.name, () => row.evaluate(context));
        if (value !== undefined) place(made, row.target, value);
      }
      const bytes = Buffer.byteLength(JSON.stringify(made));
      if (bytes > mappingLimits.bytes) throw new MappingError('mapping.too_large', `the mapped input is ${bytes} bytes; ${mappingLimits.bytes} is the most`);
      return made;
    },
  };
}

function compileRow(name: string, rule: unknown, roots: readonly string[]): Row {
  const target = name.split('.');
  if (!target.every((part) => /^[A-Za-z_][A-Za-z0-9_-]*$/.test(part) && part !== '__proto__')) throw new MappingError('mapping.target', 'a target is made of names joined by dots');
  const kind = typeof rule === 'object' && rule !== null && !Array.isArray(rule) ? Object.keys(rule).join() : '';
  const given = rule as { readonly path?: unknown; readonly cel?: unknown; readonly value?: Json };
  if (kind === 'path' && typeof given.path === 'string') {
    const path = parsePath(given.path, roots);
    return { target, name, reads: [path], evaluate: (context) => copied(readPath(context, path)) };
  }
  if (kind === 'cel' && typeof given.cel === 'string') {
    const expression = compileExpression(given.cel, { roots });
    return { target, name, reads: expression.reads, evaluate: (context) => expression.evaluate(context) };
  }
  if (kind === 'value') {
    const value = toJson(given.value, mappingLimits.bytes);
    return { target, name, reads: [], evaluate: () => value };
  }
  throw new MappingError('mapping.syntax', 'a rule is one of {"path": "…"}, {"cel": "…"}, {"value": …}');
}

function copied(value: unknown): Json | undefined {
  return value === undefined ? undefined : toJson(value, mappingLimits.bytes);
}

function place(made: Record<string, Json>, target: readonly string[], value: Json): void {
  let inside = made;
  target.forEach((part, index) => {
    if (index === target.length - 1) {
      inside[part] = value;
      return;
    }
    const existing = Object.hasOwn(inside, part) ? inside[part] : undefined;
    const next = (existing ?? {}) as Record<string, Json>;
    inside[part] = next;
    inside = next;
  });
}

/** `a` beside `a.b` would let one overwrite the other. */
function refuseOverlaps(rows: readonly Row[]): void {
  const names = new Set(rows.map((row) => row.name));
  for (const { name, target } of rows) {
    for (let length = 1; length < target.length; length += 1) {
      const outer = target.slice(0, length).join('.');
      if (names.has(outer)) throw new MappingError('mapping.target', `${outer} is a target itself, so ${name} cannot be inside it`);
    }
  }
}

/** Says which target a problem belongs to. */
function naming<T>(target: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    throw new MappingError(error.code, `${target}: ${error.message}`, error.at, error);
  }
}
