import { compileCondition, compileMapping, MappingError } from './index.js';

const context = { event: { subject: 'c-1', data: { name: 'Ann', nothing: null, list: [1, { a: 2 }] } }, steps: { job: { job_number: 'J-9' } }, now: '2026-11-20T10:00:00Z' };
const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'allowed';
  } catch (error) {
    if (error instanceof MappingError) return error.code;
    throw error;
  }
};

describe('a mapping table', () => {
  it('copies paths, evaluates expressions, sets values and nests targets', () => {
    const { map, reads } = compileMapping({ subject: { path: 'event.subject' }, 'job.number': { path: 'steps.job.job_number' }, 'job.kind': { value: 'call' }, second: { path: 'event.data.list[1].a' }, loud: { cel: 'upper(event.data.name)' } });
    expect(map(context)).toEqual({ subject: 'c-1', job: { number: 'J-9', kind: 'call' }, second: 2, loud: 'ANN' });
    expect(reads).toContainEqual(['steps', 'job', 'job_number']);
  });

  it('leaves out what a path does not find, and copies a null as null', () => {
    expect(compileMapping({ gone: { path: 'event.data.gone.deeply' }, nothing: { path: 'event.data.nothing' } }).map(context)).toEqual({ nothing: null });
  });

  it('names the target of what fails', () => {
    expect(() => compileMapping({ loud: { cel: 'upper(event.data.gone)' } }).map(context)).toThrow(/^loud: No such key: gone/);
  });

  it('sees only what the data itself holds', () => {
    expect(compileMapping({ a: { path: 'event.constructor' }, b: { path: 'event.data.__proto__.polluted' }, c: { path: 'event.data.list.length' } }).map({ event: { data: JSON.parse('{"list": [], "x": 1}') as unknown } })).toEqual({ c: 0 });
  });

  it.each([
    ['a target inside another', { a: { value: 1 }, 'a.b': { value: 2 } }, 'mapping.target'],
    ['a target that is no name', { '__proto__.x': { value: 1 } }, 'mapping.target'],
    ['two kinds of rule at once', { a: { value: 1, path: 'event.id' } }, 'mapping.syntax'],
    ['no rule', { a: 'event.id' }, 'mapping.syntax'],
    ['a path from nowhere', { a: { path: 'env.SECRET' } }, 'path.unknown_root'],
    ['a path that cannot be read', { a: { path: 'event..id' } }, 'path.syntax'],
    ['a name with an escape that JSON does not have', { a: { path: 'event["\\x63onstructor"]' } }, 'path.syntax'],
    ['a name with a line break in it', { a: { path: 'event["a\nb"]' } }, 'path.syntax'],
    ['all steps at once', { a: { path: 'steps' } }, 'expression.step_by_name'],
  ])('refuses %s', (_what, table, code) => {
    expect(codeOf(() => compileMapping(table))).toBe(code);
  });

  it('refuses an input of more than 256 KB', () => {
    expect(codeOf(() => compileMapping({ a: { path: 'event.data.long' }, b: { path: 'event.data.long' } }).map({ event: { data: { long: 'x'.repeat(140_000) } } }))).toBe('mapping.too_large');
  });
});

describe('a condition', () => {
  it('is true or false', () => {
    expect(compileCondition('event.data.name == "Ann"').holds(context)).toBe(true);
    expect(codeOf(() => compileCondition('"text"'))).toBe('condition.not_boolean');
    expect(codeOf(() => compileCondition('event.data.name').holds(context))).toBe('condition.not_boolean');
  });

  it('fails where a field is missing, so that no event is passed over in silence', () => {
    expect(codeOf(() => compileCondition('event.data.score < 5').holds(context))).toBe('expression.missing');
    expect(compileCondition('has(event.data.score) && event.data.score < 5').holds(context)).toBe(false);
  });
});
