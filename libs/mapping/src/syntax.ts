import type { ASTNode } from '@marcbachmann/cel-js';
import type { Path } from './path.js';
import { MappingError } from './problem.js';

/** What the tree of an expression tells: what it reads and what it may cost. */
export interface Syntax {
  readonly reads: readonly Path[];
  /** 0 without macros, 2 for a macro inside another. */
  readonly nesting: number;
  /** Operations whose own time grows with the data: `in`, `==`, `contains` and the like. */
  readonly scans: number;
  readonly hasSplit: boolean;
}

const macros: readonly string[] = ['all', 'exists', 'exists_one', 'map', 'filter'];
const scanning: readonly string[] = ['in', '==', '!=', '+', 'call', 'rcall'];
/** JavaScript's RegExp behind it can run for ever; `regex(text, pattern)` is linear. Measured 2026-11-21: `(a+)+$` on 33 characters, 37 s. */
const refused: Readonly<Record<string, string>> = {
  matches: 'matches() could run for ever; use regex(text, pattern)',
  bind: 'cel.bind() is not available: values bound again and again grow without bound',
  json: 'json() is not available',
};
/** Splits without a bound of its own; `split(text, separator)` stops at 1,000 parts. */
const refusedMethods: readonly string[] = ['split'];
/** Whatever a macro runs over must have a known bound: data (checked at evaluation), a literal, another macro, `split()`. */
const bounded: readonly ASTNode['op'][] = ['id', '.', '[]', 'list', 'map'];

/** Walks the tree once. Throws what the expression must be refused for. */
export function inspect(root: ASTNode, roots: readonly string[]): Syntax {
  const reads = new Map<string, Path>();
  let deepest = 0;
  let scans = 0;
  let hasSplit = false;

  const visit = (node: ASTNode, bound: ReadonlySet<string>, depth: number): void => {
    if (scanning.includes(node.op)) scans += 1;
    const path = pathOf(node);
    if (path !== null) {
      const name = path.names[0] ?? '';
      if (!bound.has(name)) {
        if (name === 'steps' && path.names.length < 2) throw new MappingError('expression.step_by_name', 'name the step: steps.<name>', node.start);
        if (roots.includes(name)) reads.set(JSON.stringify(path.names), path.names);
      }
      for (const inner of path.computed) visit(inner, bound, depth);
      return;
    }
    if (node.op === 'call' || node.op === 'rcall') return visitCall(node, bound, depth);
    for (const child of childrenOf(node)) visit(child, bound, depth);
  };

  const visitCall = (node: Extract<ASTNode, { op: 'call' | 'rcall' }>, bound: ReadonlySet<string>, depth: number): void => {
    const name = node.args[0];
    const reason = Object.hasOwn(refused, name) ? refused[name] : node.op === 'rcall' && refusedMethods.includes(name) ? 'use split(text, separator)' : undefined;
    if (reason !== undefined) throw new MappingError('expression.unbounded', reason, node.start);
    if (name === 'split') hasSplit = true;
    if (node.op === 'rcall' && macros.includes(name)) return visitMacro(node, bound, depth);
    for (const child of childrenOf(node)) visit(child, bound, depth);
  };

  const visitMacro = (node: Extract<ASTNode, { op: 'rcall' }>, bound: ReadonlySet<string>, depth: number): void => {
    const [name, receiver, [variable, ...bodies]] = node.args;
    if (!isBounded(receiver)) throw new MappingError('expression.unbounded', `${name}() runs over a field, a list, split() or another macro only`, receiver.start);
    if (depth + 1 > 2) throw new MappingError('expression.unbounded', `${name}() is nested more than one deep; nested loops multiply`, node.start);
    deepest = Math.max(deepest, depth + 1);
    if (variable?.op !== 'id') throw new MappingError('expression.syntax', `${name}() names its variable first`, node.start);
    if (roots.includes(variable.args)) throw new MappingError('expression.type', `${variable.args} is taken; name the variable of ${name}() otherwise`, variable.start);
    visit(receiver, bound, depth);
    for (const body of bodies) visit(body, new Set([...bound, variable.args]), depth + 1);
  };

  visit(root, new Set(), 0);
  return { reads: [...reads.values()], nesting: deepest, scans, hasSplit };
}

function isBounded(node: ASTNode): boolean {
  if (bounded.includes(node.op)) return true;
  if (node.op === 'rcall') return macros.includes(node.args[0]) && isBounded(node.args[1]);
  return node.op === 'call' && (node.args[0] === 'split' || ((node.args[0] === 'default' || node.args[0] === 'coalesce') && node.args[1].every(isBounded)));
}

/** A chain of fields from a name, as far as its names are known; what is computed inside brackets is returned to be visited. */
function pathOf(node: ASTNode): { readonly names: Path; readonly computed: readonly ASTNode[] } | null {
  switch (node.op) {
    case 'id':
      return { names: [node.args], computed: [] };
    case '.':
    case '.?': {
      const before = pathOf(node.args[0]);
      if (before === null) return null;
      return before.computed.length > 0 ? before : { names: [...before.names, node.args[1]], computed: [] };
    }
    case '[]':
    case '[?]': {
      const before = pathOf(node.args[0]);
      if (before === null) return null;
      const index = node.args[1];
      const isKnown = index.op === 'value' && (typeof index.args === 'string' || typeof index.args === 'bigint');
      if (isKnown && before.computed.length === 0) return { names: [...before.names, String(index.args)], computed: [] };
      return { names: before.names, computed: isKnown ? before.computed : [...before.computed, index] };
    }
    default:
      return null;
  }
}

function childrenOf(node: ASTNode): ASTNode[] {
  const found: ASTNode[] = [];
  const collect = (part: unknown): void => {
    if (Array.isArray(part)) for (const item of part) collect(item);
    else if (isNode(part)) found.push(part);
  };
  collect(node.op === 'value' || node.op === 'id' ? [] : node.args);
  return found;
}

function isNode(part: unknown): part is ASTNode {
  return typeof part === 'object' && part !== null && 'op' in part && 'args' in part;
}
