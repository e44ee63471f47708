import { checkChain, stepsReadBy, type CheckedStep } from './index.js';

const step = (name: string, priority: number, rest: Partial<CheckedStep> = {}): CheckedStep => ({ id: `id-${name}`, name, priority, condition: null, input: {}, ...rest });

describe('checking a chain', () => {
  it('finds nothing in a good one, and tells what each step reads', () => {
    const chain = [step('log', 10), step('job', 20, { condition: 'event.data.score < 5' }), step('push', 30, { input: { number: { path: 'steps.job.job_number' }, note: { cel: 'steps.log.id + ""' } } })];
    expect(checkChain(chain)).toEqual([]);
    expect(chain.map((one) => stepsReadBy(one, chain))).toEqual([[], [], ['id-log', 'id-job']]);
  });

  it('refuses a mapping that reads a later step, naming both steps and the field', () => {
    const [problem] = checkChain([step('job', 20, { input: { 'note.text': { path: 'steps.push.id' } } }), step('push', 30)]);
    expect(problem).toMatchObject({ code: 'chain.later_step', step: 'job', field: 'input.note.text' });
    expect(problem?.message).toBe('Step job, input.note.text: it reads step push, which runs later (priority 30, after 20); only steps of a lower priority number can be read.');
  });

  it('refuses a condition that reads a step running together with it, or itself', () => {
    const problems = checkChain([step('a', 10, { condition: 'has(steps.b.id)' }), step('b', 10, { condition: 'has(steps.b.id)' })]);
    expect(problems.map(({ code, step: name, field }) => [code, name, field])).toEqual([['chain.later_step', 'a', 'condition'], ['chain.later_step', 'b', 'condition']]);
  });

  it('tells everything at once: unknown steps, bad CEL with its place, endless expressions, doubled names and ids', () => {
    const problems = checkChain([
      step('a', 10, { input: { x: { path: 'steps.nobody.id' }, y: { cel: '1 +' }, z: { cel: '"a".matches("(a+)+$")' } } }),
      { ...step('a', 20), id: 'id-a' },
      step('bad name', 30, { input: { w: { cel: 'event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, true)))' } } }),
    ]);
    expect(problems.map(({ code, field, at }) => `${code} ${field} ${at}`)).toEqual([
      'chain.duplicate_id id null', 'chain.duplicate_name name null', 'chain.name name null',
      'chain.unknown_step input.x null', 'expression.syntax input.y 3', 'expression.unbounded input.z 0', 'expression.unbounded input.w 40',
    ]);
  });

  it('refuses targets that overlap', () => {
    expect(checkChain([step('a', 10, { input: { x: { value: 1 }, 'x.y': { value: 2 } } })])).toMatchObject([{ code: 'mapping.target', field: 'input' }]);
  });
});
