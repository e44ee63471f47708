import { chainRoots, compileExpression, typeOf, type Context } from './expression.js';
import type { Path } from './path.js';
import { MappingError } from './problem.js';

export interface Condition {
  readonly source: string;
  readonly reads: readonly Path[];
  /** Throws a MappingError; a missing field is one, so that no event is passed over in silence. */
  holds(context: Context): boolean;
}

export function compileCondition(source: string, { roots = chainRoots }: { readonly roots?: readonly string[] } = {}): Condition {
  const expression = compileExpression(source, { roots });
  const type = typeOf(source, roots);
  if (type !== 'bool' && type !== 'dyn') throw new MappingError('condition.not_boolean', `a condition is true or false; this one is a ${type}`, 0);
  return {
    source,
    reads: expression.reads,
    holds: (context) => {
      const value = expression.evaluate(context);
      if (typeof value === 'boolean') return value;
      throw new MappingError('condition.not_boolean', `the condition came to ${JSON.stringify(value)?.slice(0, 60)}, not to true or false`);
    },
  };
}
