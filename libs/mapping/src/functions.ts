import type { Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { rewriteDate } from './dates.js';
import { MappingError } from './problem.js';

export const longestList = 1_000;

/** The transformations an expression may use beside CEL's own. `default` and `coalesce` also stand in for a missing field. */
export function registerHouseFunctions(environment: Environment): void {
  const text = (name: string, change: (value: string) => string): void => void environment.registerFunction(`${name}(dyn): string`, (value: unknown) => change(asText(value)));
  text('lower', (value) => value.toLowerCase());
  text('upper', (value) => value.toUpperCase());
  text('trim', (value) => value.trim());
  text('emailDomain', emailDomain);
  environment.registerFunction('split(dyn, string): list<string>', (value: unknown, separator: string) => split(asText(value), separator));
  environment.registerFunction('join(list<dyn>, string): string', (values: readonly unknown[], separator: string) => values.map(asText).join(separator));
  environment.registerFunction('regex(dyn, string): bool', (value: unknown, pattern: string) => isMatch(asText(value), pattern));
  environment.registerFunction('date(dyn, string, string): dyn', rewriteDate);
  environment.registerFunction('number(dyn): double', asNumber);
  environment.registerFunction('currency(dyn): string', (value: unknown) => asNumber(value).toFixed(2));
  environment.registerFunction('mapValue(dyn, map): dyn', (value: unknown, table: object) => fieldOf(table, asText(value)));
  environment.registerFunction('mapValue(dyn, map, dyn): dyn', (value: unknown, table: object, otherwise: unknown) => fieldOf(table, asText(value)) ?? otherwise);
  environment.registerFunction('lookup(map, dyn): dyn', (table: object, name: unknown) => fieldOf(table, asText(name)));
  for (let count = 1; count <= 8; count += 1) environment.registerFunction(`concat(${Array(count).fill('dyn').join(', ')}): string`, (...values: unknown[]) => values.map(asText).join(''));
  for (const [name, most] of [['default', 2], ['coalesce', 8]] as const) for (let count = 2; count <= most; count += 1) environment.registerFunction(`${name}(${Array(count).fill('ast').join(', ')}): dyn`, firstPresent);
  registerMixedArithmetic(environment);
}

/** JSON numbers are doubles and literals are integers; CEL would refuse `event.data.score + 1`. */
function registerMixedArithmetic(environment: Environment): void {
  const operators = { '+': (a: number, b: number) => a + b, '-': (a: number, b: number) => a - b, '*': (a: number, b: number) => a * b, '/': (a: number, b: number) => a / b } as const;
  for (const [sign, apply] of Object.entries(operators)) {
    for (const [left, right] of [['double', 'int'], ['int', 'double']]) environment.registerOperator(`${left} ${sign} ${right}: double`, (a: number | bigint, b: number | bigint) => apply(Number(a), Number(b)));
  }
}

interface Evaluator {
  run(node: unknown, context: unknown): unknown;
}
interface Checker {
  check(node: unknown, context: unknown): unknown;
  getType(name: string): unknown;
}

/** A macro in cel-js's own form (`has` is one): it evaluates its arguments itself, so that a missing field is not an error. */
function firstPresent({ args }: { readonly args: readonly unknown[] }): object {
  return {
    args,
    async: false,
    evaluate: (evaluator: Evaluator, macro: { readonly args: readonly unknown[] }, context: unknown): unknown => {
      for (const argument of macro.args) {
        const value = orNull(() => evaluator.run(argument, context));
        if (value !== null && value !== undefined) return value;
      }
      return null;
    },
    typeCheck: (checker: Checker, macro: { readonly args: readonly unknown[] }, context: unknown): unknown => {
      for (const argument of macro.args) checker.check(argument, context);
      return checker.getType('dyn');
    },
  };
}

function orNull(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'no_such_key') return null;
    throw error;
  }
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return '';
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  throw new MappingError('expression.failed', 'a text function was given a list or an object');
}

function asNumber(value: unknown): number {
  const digits = typeof value === 'string' ? value.replaceAll(/[\s,$€£]/g, '') : value;
  const number = typeof digits === 'string' && digits === '' ? Number.NaN : Number(digits);
  if (Number.isFinite(number)) return number;
  throw new MappingError('expression.failed', `${JSON.stringify(String(value).slice(0, 40))} is not a number`);
}

function emailDomain(value: string): string {
  return value.slice(value.lastIndexOf('@') + 1).toLowerCase().trim();
}

function split(value: string, separator: string): string[] {
  const found = value.split(separator, longestList + 1);
  if (found.length > longestList) throw new MappingError('expression.too_costly', `split() found more than ${longestList} parts`);
  return found;
}

function fieldOf(table: object, name: string): unknown {
  if (table instanceof Map) return table.get(name) ?? null;
  return Object.hasOwn(table, name) ? (table as Readonly<Record<string, unknown>>)[name] : null;
}

const compiledPatterns = new Map<string, RE2JS>();

/** Linear in the text, whatever the pattern: RE2's engine, not JavaScript's. */
function isMatch(value: string, pattern: string): boolean {
  if (pattern.length > 500) throw new MappingError('expression.too_costly', 'the pattern is longer than 500 characters');
  let compiled = compiledPatterns.get(pattern);
  if (compiled === undefined) {
    try {
      compiled = RE2JS.compile(pattern);
    } catch (error) {
      throw new MappingError('expression.failed', `${JSON.stringify(pattern)} is not a pattern that regex() reads`, null, error);
    }
    if (compiledPatterns.size >= 200) compiledPatterns.clear();
    compiledPatterns.set(pattern, compiled);
  }
  return compiled.matcher(value).find();
}
