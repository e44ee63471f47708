import { compileExpression, MappingError } from './index.js';

const context = {
  event: { id: 'e1', source: 's', type: 'conversation_ended', data: { score: 4, half: 1.5, tags: ['urgent', 'road'], caller: { email: 'Ann@Harbour.example' }, nothing: null, many: Array.from({ length: 300 }, (_, index) => index) } },
  steps: { log: { id: 'n-7' } },
  now: '2026-11-20T10:00:00.000Z',
};
const evaluate = (source: string): unknown => compileExpression(source).evaluate(context);
const refusal = (act: () => unknown): string => {
  try {
    return `allowed: ${JSON.stringify(act())}`;
  } catch (error) {
    if (error instanceof MappingError) return `${error.code}${error.at === null ? '' : `@${error.at}`}`;
    throw error;
  }
};

describe('an expression', () => {
  it.each([
    ['event.data.score < 5 && "urgent" in event.data.tags', true],
    ['event.data.score + 1', 5],
    ['event.data.half * 2', 3],
    ['event.data.tags.map(tag, upper(tag))', ['URGENT', 'ROAD']],
    ['steps.log.id + "/" + event.id', 'n-7/e1'],
    ['emailDomain(event.data.caller.email)', 'harbour.example'],
    ['default(event.data.missing.deeply, "none")', 'none'],
    ['coalesce(event.data.nothing, event.data.missing, lower("X"))', 'x'],
    ['has(event.data.score) ? concat("score ", event.data.score) : ""', 'score 4'],
    ['join(split("a,b,c", ","), "-")', 'a-b-c'],
    ['date("20/11/2026 09:05", "dd/MM/yyyy HH:mm", "iso")', '2026-11-20T09:05:00.000Z'],
    ['date(now, "iso", "yyyy-MM-dd")', '2026-11-20'],
    ['number("$1,234.50")', 1234.5],
    ['currency(12)', '12.00'],
    ['mapValue("urgent", {"urgent": 1, "low": 3})', 1],
    ['mapValue("odd", {"urgent": 1}, 9)', 9],
    ['lookup(event.data.caller, "email")', 'Ann@Harbour.example'],
    ['trim("  x ")', 'x'],
    ['regex(event.data.caller.email, "^[A-Z][a-z]+@")', true],
    ['{"a": 1, "b": event.data.nothing}', { a: 1, b: null }],
    ['9007199254740993', '9007199254740993'],
  ])('%s', (source, value) => {
    expect(evaluate(source)).toEqual(value);
  });

  it('tells what it reads, but not its own variables', () => {
    expect(compileExpression('event.data.tags.exists(t, t == steps.log.id) && event.data["odd key"].x == 1 && event.data.list[0] == event.data[event.id]').reads).toEqual([
      ['event', 'data', 'tags'], ['steps', 'log', 'id'], ['event', 'data', 'odd key', 'x'], ['event', 'data', 'list', '0'], ['event', 'data'], ['event', 'id'],
    ]);
  });

  it.each(['constructor', '__proto__', 'hasOwnProperty', 'toString'])('reads beside a field named %s', (name) => {
    const data: unknown = JSON.parse(`{"a": 1, "list": [{"${name}": "x", "b": "y"}], "${name}": "hello"}`);
    expect(compileExpression('event.data.list[0].b').evaluate({ event: { data } })).toBe('y');
  });

  it('says where a field is missing and how to allow for it', () => {
    expect(() => evaluate('event.data.missing')).toThrow(/No such key: missing; use has/);
  });
});

describe('refused at save', () => {
  it.each([
    ['1 +', 'expression.syntax@3'],
    ['foo.bar', 'expression.type@0'],
    ['"a".matches("(a+)+$")', 'expression.unbounded@0'],
    ['event.data.tags.all(a, event.data.tags.all(b, event.data.tags.all(c, true)))', 'expression.unbounded@46'],
    ['cel.bind(x, "aa", x + x)', 'expression.unbounded@0'],
    ['"a,b".split(",")', 'expression.unbounded@0'],
    ['event.data.tags.map(event, event)', 'expression.type@20'],
    ['steps[event.data.name].id', 'expression.step_by_name@0'],
    ['size(steps)', 'expression.step_by_name@5'],
    ['record.id', 'expression.type@0'],
    [`"${'x'.repeat(2_000)}"`, 'expression.too_long@2000'],
    [Array.from({ length: 150 }, () => '1').join('+'), 'expression.too_long'],
    [`${'('.repeat(60)}1${')'.repeat(60)}`, 'expression.too_long'],
  ])('%s', (source, code) => {
    expect(refusal(() => compileExpression(source)).startsWith(code)).toBe(true);
  });
});

describe('refused at evaluation', () => {
  const big = { ...context, event: { data: { list: Array.from({ length: 1_001 }, () => 1), long: 'x'.repeat(200_000), words: Array.from({ length: 1_000 }, (_, index) => `w${index}`) } } };
  it.each([
    ['event.data.list.all(x, x == 1)', 'expression.too_costly'],
    ['event.data.words.all(x, event.data.words.all(y, y in event.data.words))', 'expression.too_costly'],
    ['event.data.long', 'expression.too_large'],
    ['split(event.data.long, "")', 'expression.too_costly'],
    ['event.constructor', 'expression.missing'],
    ['event.__proto__', 'expression.missing'],
    ['1/0', 'expression.failed'],
    ['event.data.long + 1', 'expression.failed'],
    ['number("seven")', 'expression.failed'],
    ['regex("a", "(")', 'expression.failed'],
  ])('%s', (source, code) => {
    expect(refusal(() => compileExpression(source).evaluate(big)).split('@')[0]).toBe(code);
  });

  it('never takes long: the worst that is allowed ends within two seconds', () => {
    const started = process.cpuUsage();
    for (const source of ['regex(event.data.a, "(a+)+$")', 'event.data.many.all(x, event.data.many.all(y, y in event.data.many))', 'event.data.words.all(x, x + event.data.a != "")'])
      refusal(() => compileExpression(source).evaluate({ event: { data: { a: `${'a'.repeat(33)}b`, many: context.event.data.many, words: big.event.data.words } } }));
    // Of a processor, not of a clock that goes on while others have it.
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });

  it('cannot build a large value from a small source', () => {
    const data = { s: 'x'.repeat(250_000), words: big.event.data.words };
    const sum = Array.from({ length: 9 }, () => 'event.data.s').join('+');
    expect(refusal(() => compileExpression(`event.data.words.map(w, ${sum})`).evaluate({ event: { data } })).split('@')[0]).toMatch(/too_costly|too_large/);
  });
});
