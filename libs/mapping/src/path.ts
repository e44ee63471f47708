import { MappingError } from './problem.js';

/** `event.data.tags[0]` as `['event', 'data', 'tags', '0']`. */
export type Path = readonly string[];

/** A quoted name is a JSON string: nothing but its escapes, and no control character. */
const segment = /\.?([A-Za-z_][A-Za-z0-9_]*)|\[(\d{1,6})\]|\[("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")\]/y;

/** Reads a plain path; `["odd name"]` and `[0]` are allowed after the root. Throws `path.syntax` or `path.unknown_root`. */
export function parsePath(source: string, roots: readonly string[]): Path {
  const path: string[] = [];
  if (source.length > 500) throw new MappingError('path.syntax', 'the path is longer than 500 characters', 500);
  for (let at = 0; at < source.length; at = segment.lastIndex) {
    segment.lastIndex = at;
    const match = segment.exec(source);
    const isName = match?.[1] !== undefined;
    if (match === null || (isName && match[0].startsWith('.') === (at === 0)) || (!isName && at === 0)) throw new MappingError('path.syntax', `the path cannot be read at character ${at}: ${source.slice(at, at + 20)}`, at);
    path.push(match[1] ?? match[2] ?? (JSON.parse(match[3] ?? '""') as string));
  }
  const root = path[0];
  if (root === undefined) throw new MappingError('path.syntax', 'the path is empty', 0);
  if (!roots.includes(root)) throw new MappingError('path.unknown_root', `a path starts with one of ${roots.join(', ')}, not with ${root}`, 0);
  if (root === 'steps' && path.length < 2) throw new MappingError('expression.step_by_name', 'name the step: steps.<name>', 0);
  return path;
}

/** The value at the path, or undefined where a part of it is missing. Only what the data itself holds is seen. */
export function readPath(context: unknown, path: Path): unknown {
  let value: unknown = context;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}
