import { builtInEventSchemas, eventDataProblem, isInstant } from './event-schema.js';
import { builtInEventTypes } from './topic.js';

describe('the data of a built-in event type', () => {
  it('has a schema for every type', () => {
    expect(Object.keys(builtInEventSchemas).sort()).toEqual([...builtInEventTypes].sort());
  });

  it.each([
    ['conversation_ended', { conversation_id: 'c', contact: null, started_at: null, anything: { else: 1 } }],
    ['contact_request', { contact: { phone: '+61 2 9999 0000' } }],
    ['escalation', { conversation_id: 'c', reason: 'asked for a person', urgency: 'high' }],
    ['kb_sync', { knowledge_base_id: 'kb', mode: 'changes' }],
    ['low_score', { conversation_id: 'c', score: 2.5, threshold: 3 }],
    ['of_the_organisation', 'anything'],
  ])('takes what fits %s', (type, data) => {
    expect(eventDataProblem(type, data)).toBeNull();
  });

  it.each([
    ['conversation_ended', {}, "data must have required property 'conversation_id'"],
    ['conversation_ended', { conversation_id: 'c', started_at: 'yesterday' }, 'data/started_at must match format "date-time"'],
    ['contact_request', { contact: { name: 'Ann' } }, 'data/contact'],
    ['escalation', { conversation_id: 'c', reason: '' }, 'data/reason'],
    ['low_score', { conversation_id: 'c', score: '2', threshold: 3 }, 'data/score must be number'],
    ['kb_sync', null, 'data must be object'],
  ])('names the place where %s does not fit', (type, data, message) => {
    expect(eventDataProblem(type, data)).toContain(message);
  });

  it('takes RFC 3339 timestamps only', () => {
    expect(['2026-11-21T10:00:00Z', '2026-11-21t10:00:00.5+11:00', '2016-12-31T23:59:60Z'].map(isInstant)).toEqual([true, true, true]);
    expect(['2026-11-21', '2026-11-21T10:00:00', '2026-13-01T00:00:00Z', '12/31/2017 11:59 PM'].map(isInstant)).toEqual([false, false, false, false]);
  });
});
