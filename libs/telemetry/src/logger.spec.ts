import { defineError } from '@trunkline/contracts';
import { createLogger } from './logger.js';

const canary = 'hunter2-canary-0123456789abcdef';

function logged(write: (logger: ReturnType<typeof createLogger>) => void): { text: string; lines: Record<string, unknown>[] } {
  let text = '';
  write(createLogger({ app: 'spec', destination: { write: (line) => void (text += line) } }));
  return { text, lines: text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>) };
}

it('writes one JSON object per line', () => {
  const { lines } = logged((logger) => logger.warn({ runId: 'r1', code: 'x' }, 'stuck 100% of the time'));
  expect(lines).toEqual([expect.objectContaining({ level: 'warn', app: 'spec', runId: 'r1', code: 'x', message: 'stuck 100% of the time', time: expect.stringMatching(/Z$/) })]);
});

it.each<[string, Record<string, unknown>]>([
  ['a header', { headers: { Authorization: canary, 'X-Api-Key': canary } }],
  ['a header list in an array', { calls: [{ request: { headers: { cookie: canary } } }] }],
  ['credentials', { integration: { settings: { a: { b: { clientSecret: canary, access_token: canary } } } } }],
  ['a bearer token in text', { text: `got 401 with Bearer ${canary}` }],
  ['our own key', { text: `tl_0123456789abcdef_${canary}` }],
  ['a password in an address', { text: `connecting to postgres://u:${canary}@h/d` }],
  ['a token in a query', { path: `/token?client_secret=${canary}&x=1` }],
  ['an error and its cause', { err: new Error(`refused: Bearer ${canary}`, { cause: Object.assign(new Error(`https://u:${canary}@host`), { password: canary }) }) }],
  ['bytes', { body: Buffer.from(canary) }],
  ['a value that hides itself', { key: { toJSON: () => '[redacted]', value: canary } }],
])('prints no secret from %s', (_, facts) => {
  const { text } = logged((logger) => {
    logger.error(facts, `Bearer ${canary}`);
    logger.child(facts).info({}, 'x');
  });
  expect(text).not.toContain(canary);
  expect(text).not.toContain(JSON.stringify([...Buffer.from(canary)]).slice(1, 20));
});

it('prints code, facts and cause of a registered error', () => {
  const Away = defineError('spec.away', { class: 'unavailable', http: 503, title: 'Away', fix: 'Wait.' });
  const { lines } = logged((logger) => logger.error({ err: Away.from(new Error('socket closed'), 'reading', { topic: 'results' }) }, 'x'));
  expect(lines[0]?.['err']).toMatchObject({ code: 'spec.away', facts: { topic: 'results' }, cause: { message: 'socket closed' } });
});

it('keeps a line a line, and survives circles and depth', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const { lines } = logged((logger) => logger.info({ circle, text: 'a\r\nb\u001b[31m' }, 'one\ntwo'));
  expect(lines).toHaveLength(1);
});
