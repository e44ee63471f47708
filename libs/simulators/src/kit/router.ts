interface Node<Target> {
  readonly literals: Map<string, Node<Target>>;
  parameter?: { readonly name: string; readonly node: Node<Target> };
  readonly targets: Map<string, Target>;
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
    for (const segment of pattern.split('/').slice(1)) node = child(node, segment);
    node.targets.set(method, target);
  }

  find(method: string, path: string): Found<Target> {
    const parameters: Record<string, string> = {};
    const node = descend(this.root, path.split('/'), 1, parameters);
    if (node === undefined) return { kind: 'none' };
    const target = node.targets.get(method);
    return target === undefined ? { kind: 'other-method', allowed: [...node.targets.keys()] } : { kind: 'route', target, parameters };
  }
}

function emptyNode<Target>(): Node<Target> {
  return { literals: new Map(), targets: new Map() };
}

function child<Target>(node: Node<Target>, segment: string): Node<Target> {
  const name = /^\{(\w+)\}$/.exec(segment)?.[1];
  if (name !== undefined) return (node.parameter ??= { name, node: emptyNode() }).node;
  let literal = node.literals.get(segment);
  if (literal === undefined) node.literals.set(segment, (literal = emptyNode()));
  return literal;
}

function descend<Target>(node: Node<Target>, segments: readonly string[], at: number, parameters: Record<string, string>): Node<Target> | undefined {
  if (at === segments.length) return node.targets.size > 0 ? node : undefined;
  const segment = segments[at] ?? '';
  const literal = node.literals.get(segment);
  const found = literal === undefined ? undefined : descend(literal, segments, at + 1, parameters);
  if (found !== undefined || node.parameter === undefined || segment === '') return found;
  const below = descend(node.parameter.node, segments, at + 1, parameters);
  if (below !== undefined) parameters[node.parameter.name] = decode(segment);
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
