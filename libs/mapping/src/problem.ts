/** What is wrong with an expression, a mapping or a chain, or why one could not be evaluated. `code` is stable; `message` is for the person who wrote the expression. */
export class MappingError extends Error {
  override readonly name = 'MappingError';
  constructor(
    readonly code: MappingCode,
    message: string,
    /** Character of the source at which it shows, from 0. */
    readonly at: number | null = null,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

export const mappingCodes = {
  'expression.syntax': 'the source is not CEL',
  'expression.type': 'the types do not fit, or a name is not known',
  'expression.too_long': 'the source is too long or too deep',
  'expression.unbounded': 'it could run for too long',
  'expression.step_by_name': 'steps are read by name only, so that the order can be checked',
  'expression.missing': 'it reads a field that is not there',
  'expression.failed': 'it cannot be evaluated on this event',
  'expression.too_costly': 'on this event it would take too long',
  'expression.too_large': 'its result is too large',
  'path.syntax': 'the path cannot be read',
  'path.unknown_root': 'the path starts with a name that is not known',
  'mapping.syntax': 'the mapping table cannot be read',
  'mapping.target': 'a target is malformed or given twice',
  'mapping.too_large': 'the mapped input is too large',
  'condition.not_boolean': 'a condition must be true or false',
  'chain.duplicate_id': 'two steps have the same id',
  'chain.duplicate_name': 'two steps have the same name',
  'chain.name': 'a step name is malformed',
  'chain.unknown_step': 'there is no step of this name',
  'chain.later_step': 'a step reads one that has not ended when it starts',
} as const;
export type MappingCode = keyof typeof mappingCodes;
