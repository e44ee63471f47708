import { Environment, EvaluationError, ParseError, type ParseResult } from '@marcbachmann/cel-js';
import { longestList, registerHouseFunctions } from './functions.js';
import { toJson, type Json } from './json.js';
import { readPath, type Path } from './path.js';
import { MappingError } from './problem.js';
import { inspect, type Syntax } from './syntax.js';

/** What an expression sees. `now` is the time the event was accepted (ISO 8601): expressions have no clock. */
export interface Context {
  readonly event?: unknown;
  readonly steps?: Readonly<Record<string, unknown>>;
  readonly now?: string;
  readonly record?: unknown;
}

export interface Expression {
  readonly source: string;
  readonly reads: readonly Path[];
  /** Throws a MappingError. */
  evaluate(context: Context): Json;
}

export const chainRoots: readonly string[] = ['event', 'steps', 'now'];
export const expressionLimits = { characters: 2_000, nodes: 200, depth: 20, resultBytes: 64 * 1024, listItems: longestList, costMs: 1_000 } as const;

const environments = new Map<string, Environment>();

/** Compiles CEL with the guards that its measurements proved necessary. Throws a MappingError with the position; the caller keeps the compiled form per chain version. */
export function compileExpression(source: string, { roots = chainRoots }: { readonly roots?: readonly string[] } = {}): Expression {
  if (source.length > expressionLimits.characters) throw new MappingError('expression.too_long', `the expression is longer than ${expressionLimits.characters} characters`, expressionLimits.characters);
  const parsed = parse(source, roots);
  const syntax = inspect(parsed.ast, roots);
  const checked = parsed.check();
  if (!checked.valid) throw new MappingError('expression.type', firstLine(checked.error), checked.error?.range?.start ?? null, checked.error);
  return { source, reads: syntax.reads, evaluate: (context) => evaluate(parsed, syntax, context) };
}

/** The type CEL infers, `dyn` where it cannot. */
export function typeOf(source: string, roots: readonly string[]): string {
  return String(parse(source, roots).check().type ?? 'dyn');
}

function parse(source: string, roots: readonly string[]): ParseResult {
  try {
    return environmentOf(roots).parse(source);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const isLimit = /limit|exceed|maximum/i.test(error.message);
    throw new MappingError(isLimit ? 'expression.too_long' : 'expression.syntax', firstLine(error), error.range?.start ?? null, error);
  }
}

function evaluate(parsed: ParseResult, syntax: Syntax, context: Context): Json {
  if (syntax.nesting > 0) refuseCostly(syntax, context);
  let value: unknown;
  try {
    value = parsed(context);
  } catch (error) {
    if (error instanceof MappingError) throw error;
    const cause = error instanceof EvaluationError ? error : undefined;
    if (cause?.cause instanceof MappingError) throw cause.cause;
    const at = cause?.range?.start ?? null;
    const plain = withoutConstructors(context);
    if (plain !== context) return evaluate(parsed, syntax, plain);
    if (cause?.code === 'no_such_key') throw new MappingError('expression.missing', `${firstLine(error)}; use has(…) or default(…, …) where it may be missing`, at, error);
    throw new MappingError('expression.failed', firstLine(error), at, error);
  }
  return toJson(value, expressionLimits.resultBytes);
}

/** cel-js tells an object by its `constructor`, which a field of that name hides: such fields are left out, and an expression cannot read them. The same value where there is none. */
function withoutConstructors<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items: unknown[] = value.map((item: unknown) => withoutConstructors(item));
    return items.every((item, index) => item === value[index]) ? value : (items as Value);
  }
  const entries = Object.entries(value);
  const kept = entries.filter(([name]) => name !== 'constructor').map(([name, item]) => [name, withoutConstructors(item as unknown)] as const);
  return kept.length === entries.length && kept.every(([, item], index) => item === entries[index]?.[1]) ? value : (Object.fromEntries(kept) as Value);
}

/** Lists are bounded, and so is what loops over them may cost together: a scan of the data inside a loop inside a loop is measured in seconds, not nodes. */
function refuseCostly({ reads, nesting, scans, hasSplit }: Syntax, context: Context): void {
  let longest = hasSplit ? expressionLimits.listItems : 1;
  let characters = 0;
  const measure = (value: unknown): void => {
    if (typeof value === 'string') characters += value.length;
    if (typeof value !== 'object' || value === null) return;
    const items = Object.values(value);
    characters += 4 * items.length;
    longest = Math.max(longest, items.length);
    if (longest > expressionLimits.listItems) throw new MappingError('expression.too_costly', `a list or object of more than ${expressionLimits.listItems} items cannot be looped over`);
    for (const item of items) measure(item);
  };
  for (const path of reads) measure(readPath(context, path));
  // Measured: 0.1 µs for a turn of a loop; 1.2 µs for comparing through 1,000 characters of data.
  const costMs = (longest ** nesting * (0.2 + scans * (0.02 + (characters / 1_000) * 1.5))) / 1_000;
  if (costMs > expressionLimits.costMs) throw new MappingError('expression.too_costly', `on this event the loops could take ${Math.round(costMs)} ms; ${expressionLimits.costMs} ms is the most`);
}

function environmentOf(roots: readonly string[]): Environment {
  const key = roots.join();
  const known = environments.get(key);
  if (known !== undefined) return known;
  const { nodes, depth } = expressionLimits;
  const environment = new Environment({ unlistedVariablesAreDyn: false, homogeneousAggregateLiterals: false, limits: { maxAstNodes: nodes, maxDepth: depth, maxListElements: nodes, maxMapEntries: nodes, maxCallArguments: 16 } });
  for (const root of roots) environment.registerVariable(root, root === 'now' ? 'string' : 'map');
  registerHouseFunctions(environment);
  environments.set(key, environment);
  return environment;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
