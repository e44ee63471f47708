import { decodeCommand, decodeResult, encodeCommand, encodeResult, effectKeyOf, hashOf, type Command, type StepResult } from './index.js';

const command: Command = {
  kind: 'execute', organisationId: '0a4b0c0d-0000-4000-8000-000000000001', runId: '0a4b0c0d-0000-8000-8000-000000000002', stepId: 's1', dispatch: 3, effectKey: 'e'.repeat(32),
  integrationId: '0a4b0c0d-0000-4000-8000-000000000003', provider: 'techone', action: 'create_job', orderingKey: null, startBeforeMs: 1_000, deadlineMs: 500, firstDispatchedAtMs: 7, input: Buffer.from('{"a":"\u0000"}'), traceparent: null,
};

describe('a command record', () => {
  it('comes back as it went, input byte for byte', () => {
    expect(decodeCommand(encodeCommand(command))).toEqual(command);
    expect(decodeCommand(encodeCommand({ ...command, orderingKey: 'k', traceparent: '00-x' }))).toMatchObject({ orderingKey: 'k', traceparent: '00-x' });
  });

  it('is keyed by integration, so that one worker owns its budget', () => {
    expect(encodeCommand(command).key.toString()).toBe(command.integrationId);
  });

  it.each([
    ['tl_schema', '9', 'schema version 9'],
    ['tl_kind', 'explode', 'kind "explode"'],
    ['tl_dispatch', 'three', 'tl_dispatch is not a whole number'],
  ])('with %s %j is refused', (name, value, why) => {
    const record = encodeCommand(command);
    expect(() => decodeCommand({ ...record, headers: [[name, Buffer.from(value)], ...record.headers] })).toThrow(why);
  });
});

describe('a result record', () => {
  const result: StepResult = { schema: 1, organisationId: command.organisationId, runId: command.runId, stepId: 's1', dispatch: 3, integrationId: command.integrationId, answer: { kind: 'outcome', outcome: { kind: 'ok', result: { job_number: 'WR-1' }, externalId: 'WR-1' } }, call: null, worker: 'w' };

  it('comes back as it went', () => {
    expect(decodeResult(encodeResult(result).value)).toEqual(result);
  });

  it.each([
    [null, 'null'],
    [Buffer.from('{'), 'not JSON'],
    [Buffer.from('{}'), 'does not fit'],
    [encodeResult({ ...result, schema: 2 }).value, 'does not fit'],
  ])('that is %s is refused', (value, why) => {
    expect(() => decodeResult(value)).toThrow(why);
  });
});

describe('hashes', () => {
  it('tell lists of parts apart that join to the same text', () => {
    expect(hashOf('ab', 'c').equals(hashOf('a', 'bc'))).toBe(false);
  });

  it('give one effect key for every attempt, and another for another step, action or root', () => {
    const key = effectKeyOf('o', 'root', 5, 's1', 'create');
    expect(effectKeyOf('o', 'root', 5, 's1', 'create')).toBe(key);
    expect(new Set([key, effectKeyOf('o', 'root', 6, 's1', 'create'), effectKeyOf('o', 'root', 5, 's2', 'create'), effectKeyOf('o', 'root', 5, 's1', 'update'), effectKeyOf('p', 'root', 5, 's1', 'create')]).size).toBe(5);
  });
});
