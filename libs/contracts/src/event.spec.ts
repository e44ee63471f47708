import { attributeProblem, dataProblem, decodeEvent, encodeEvent, nestingOf, receiptOf, type AcceptedEvent } from './index.js';
import { digestOf } from './identity.js';

const organisationId = '0a4b0c0d-0000-4000-8000-000000000001';
const data = Buffer.from('{"conversation_id":"1","summary":"a light is out"}');
const event: AcceptedEvent = { organisationId, id: '1-1', source: '/calls', type: 'conversation_ended', subject: '6122 E MESA AVE, 90042', time: '2026-11-21T10:00:00Z', assistantId: null, data, digest: digestOf('conversation_ended', '6122 E MESA AVE, 90042', data), traceparent: null };

describe('an event record', () => {
  it('comes back as it went, with the digest of what it says', () => {
    expect(decodeEvent(encodeEvent(event))).toEqual({ ...event, firstAppendedAtMs: null });
  });

  it('has one key for all events of a subject, so that they stay in order', () => {
    const [one, other] = [encodeEvent(event), encodeEvent({ ...event, id: '1-2' })];
    expect(one.key.equals(other.key)).toBe(true);
    expect(one.key.equals(encodeEvent({ ...event, subject: 'elsewhere' }).key)).toBe(false);
  });

  it('of two organisations never shares a key or a run id', () => {
    const foreign = { ...event, organisationId: organisationId.replace('1', '2') };
    expect(encodeEvent(event).key.equals(encodeEvent(foreign).key)).toBe(false);
    expect(receiptOf(event).run_id).not.toBe(receiptOf(foreign).run_id);
  });

  it.each([
    ['a null value', { ...encodeEvent(event), value: null }, 'the value is null'],
    ['a missing header', { ...encodeEvent(event), headers: encodeEvent(event).headers.filter(([name]) => name !== 'ce_id') }, 'header ce_id is missing'],
    ['an organisation that is no UUID', { ...encodeEvent(event), headers: [['ce_organisationid', Buffer.from("x' or 1=1")] as const, ...encodeEvent(event).headers] }, 'not a UUID'],
    ['another CloudEvents version', { ...encodeEvent(event), headers: [['ce_specversion', Buffer.from('0.3')] as const, ...encodeEvent(event).headers] }, 'ce_specversion is not 1.0'],
    ['data that does not fit the schema of its built-in type', encodeEvent({ ...event, data: Buffer.from('{"summary":"x"}') }), "data must have required property 'conversation_id'"],
    ['the topic of another type', { ...encodeEvent(event), topic: 'events.low_score' }, 'belongs in events.conversation_ended'],
    ['a custom type in the topic of a built-in one', { ...encodeEvent({ ...event, type: 'pothole' }), topic: 'events.escalation' }, 'belongs in events.custom'],
    ['data that is no JSON', { ...encodeEvent(event), value: Buffer.from('{') }, 'not JSON'],
  ])('with %s is refused in words', (_, record, why) => {
    expect(() => decodeEvent(record)).toThrow(why);
  });
});

describe('the first append time of an event record', () => {
  const letter = ['tl_dead_letter', Buffer.from('letter-1')] as const;
  const including = (...headers: readonly (readonly [string, Buffer])[]) => ({ ...encodeEvent(event), headers: [...encodeEvent(event).headers, ...headers] });

  it('is believed of a redriven dead letter, of no other producer', () => {
    const first = ['tl_first_appended', Buffer.from('1700000000000')] as const;
    expect(decodeEvent(including(first, letter)).firstAppendedAtMs).toBe(1_700_000_000_000);
    expect(decodeEvent(including(first)).firstAppendedAtMs).toBeNull();
  });

  it('is a number or the record is refused', () => {
    expect(() => decodeEvent(including(['tl_first_appended', Buffer.from('yesterday')], letter))).toThrow('not a whole number');
  });
});

describe('the receipt', () => {
  it('is a function of organisation, source and id alone', () => {
    expect(receiptOf(event)).toEqual(receiptOf({ ...event }));
    expect(receiptOf(event)).toEqual({ run_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/), source: '/calls', id: '1-1' });
  });
});

describe('context attributes', () => {
  it.each([
    [{ id: '' }, 'id is empty'],
    [{ id: 'a\u0000b' }, 'id holds a control character'],
    [{ source: '\ud800' }, 'source holds half of a surrogate pair'],
    [{ subject: 'x'.repeat(9 * 1024) }, 'subject is longer than 1024 bytes'],
    [{ type: 'Conversation Ended' }, 'type may hold'],
  ])('%j are refused', (change, why) => {
    expect(attributeProblem({ ...event, ...change })).toContain(why);
  });

  it('may be long up to the limit in bytes, not characters', () => {
    expect(attributeProblem({ ...event, subject: 'é'.repeat(512) })).toBeNull();
    expect(attributeProblem({ ...event, subject: 'é'.repeat(513) })).not.toBeNull();
  });
});

describe('data', () => {
  it('nested 100,000 deep is refused before anything recursive sees it', () => {
    expect(dataProblem(Buffer.from('['.repeat(100_000)))).toContain('nested 100000 deep');
  });

  it('keeps brackets inside strings, and escaped quotes, out of the count', () => {
    expect(nestingOf(Buffer.from('{"a":"[[[\\"[[["}'))).toBe(1);
  });

  it('may hold NUL, half a surrogate pair and huge numbers: they are bytes here', () => {
    expect(dataProblem(Buffer.from(`{"a":"\\u0000","b":"\\ud800","c":1e999,"d":${'9'.repeat(400)}}`))).toBeNull();
  });

  it('larger than 256 KB is refused', () => {
    expect(dataProblem(Buffer.from(`"${'x'.repeat(256 * 1024)}"`))).toContain('larger than');
  });
});
