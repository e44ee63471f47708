interface Leaf<Target> {
  readonly target: Target;
  /** In the order of the path. */
  readonly parameterNames: readonly string[];
}

interface Node<Target> {
  readonly literals: Map<string, Node<Target>>;
  parameter?: Node<Target>;
  readonly leaves: Map<string, Leaf<Target>>;
}

export type Found<Target> =
  | { readonly kind: 'route'; readonly target: Target; readonly parameters: Readonly<Record<string, string>> }
  | { readonly kind: 'other-method'; readonly allowed: readonly string[] }
  | { readonly kind: 'none' };

/** Finds a route by method and path; a literal segment goes before a `{parameter}`. */
export class Router<Target> {
  private readonly root: Node<Target> = emptyNode();

  add(method: string, pattern: string, target: Target): void {
    let node = this.root;
    const parameterNames: string[] = [];
    for (const segment of pattern.split('/').slice(1)) {
      const name = /^\{(\w+)\}$/.exec(segment)?.[1];
      if (name !== undefined) parameterNames.push(name);
      node = name === undefined ? literal(node, segment) : (node.parameter ??= emptyNode());
    }
    node.leaves.set(method, { target, parameterNames });
  }

  find(method: string, path: string): Found<Target> {
    const values: string[] = [];
    const node = descend(this.root, path.split('/'), 1, values);
    if (node === undefined) return { kind: 'none' };
    const leaf = node.leaves.get(method);
    if (leaf === undefined) return { kind: 'other-method', allowed: [...node.leaves.keys()] };
    const parameters = Object.fromEntries(leaf.parameterNames.map((name, index) => [name, decode(values[index] ?? '')]));
    return { kind: 'route', target: leaf.target, parameters };
  }
}

function emptyNode<Target>(): Node<Target> {
  return { literals: new Map(), leaves: new Map() };
}

function literal<Target>(node: Node<Target>, segment: string): Node<Target> {
  let next = node.literals.get(segment);
  if (next === undefined) node.literals.set(segment, (next = emptyNode()));
  return next;
}

/** Collects the raw values of the parameters passed on the way. */
function descend<Target>(node: Node<Target>, segments: readonly string[], at: number, values: string[]): Node<Target> | undefined {
  if (at === segments.length) return node.leaves.size > 0 ? node : undefined;
  const segment = segments[at] ?? '';
  const next = node.literals.get(segment);
  const found = next === undefined ? undefined : descend(next, segments, at + 1, values);
  if (found !== undefined || node.parameter === undefined || segment === '') return found;
  values.push(segment);
  const below = descend(node.parameter, segments, at + 1, values);
  if (below === undefined) values.pop();
  return below;
}

function decode(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    // A broken escape cannot name a record; taken literally it finds none.
    return segment;
  }
}
