import type { JournalEntry } from '@trunkline/simulators';
import { judge, type LedgerStep } from './verdict.js';

const chain = ['genesys', 'techone', 'salesforce'];
const recordTypes: Readonly<Record<string, string>> = { genesys: 'note', techone: 'WorkRequest', salesforce: 'Task' };
let seq = 0;

function effect(provider: string, eventId: string, atMs: number, more: Partial<JournalEntry> = {}): JournalEntry {
  seq += 1;
  return { seq, at: new Date(atMs).toISOString(), provider, operation: 'write', method: 'POST', path: '/', kind: 'created', recordType: recordTypes[provider] ?? '', recordId: `${provider}-${seq}`, requestId: 'r', effectReference: `ref-${provider}-${eventId}`, body: { text: `Request ${eventId}: a light is out` }, ...more };
}

function steps(eventId: string, planned: number, subject: string | null = null, state = 'done'): LedgerStep[] {
  return chain.map((provider) => ({ organisationId: 'o', runId: `run-${eventId}`, eventId, subject, planned, provider, state, reference: `ref-${provider}-${eventId}`, isToldByContent: true, isOrdered: provider === 'techone' }));
}

function allEffects(eventId: string, atMs: number): Record<string, JournalEntry[]> {
  return Object.fromEntries(chain.map((provider, index) => [provider, [effect(provider, eventId, atMs + index)]]));
}

describe('the verdict over journals and ledger', () => {
  it('finds nothing where every step has its effect, once and in order', () => {
    expect(judge(allEffects('1', 100), steps('1', 1), chain, [])).toEqual({ effects: 3, lost: [], duplicates: [], outOfOrder: [] });
  });

  it('counts a done step without an effect, and an accepted event without a run, as lost', () => {
    const journals = { ...allEffects('1', 100), techone: [] };
    expect(judge(journals, steps('1', 1), chain, ['run-9']).lost).toEqual(['techone has nothing of event 1 (run run-1)', 'event run-9 was accepted and has no run']);
  });

  it('tells a double by content although the references differ', () => {
    const journals = allEffects('1', 100);
    journals['techone']?.push(effect('techone', '1', 200, { effectReference: 'another' }));
    expect(judge(journals, steps('1', 1), chain, []).duplicates).toHaveLength(1);
  });

  it('takes two events of one id, from two sources, for what they are', () => {
    const mine = steps('call-1', 1);
    const others = steps('call-1', 2).map((step) => ({ ...step, runId: 'run-other', reference: `other-${step.provider}`, isToldByContent: false }));
    const journals = allEffects('call-1', 100);
    for (const step of others) journals[step.provider]?.push(effect(step.provider, 'call-1', 200, { effectReference: step.reference, body: { text: 'Somebody else’s text' } }));
    expect(judge(journals, [...mine, ...others], chain, [])).toEqual({ effects: 6, lost: [], duplicates: [], outOfOrder: [] });
  });

  it('reads ids with spaces, quotes and colons', () => {
    expect(judge(allEffects('urn:x: "1"', 100), steps('urn:x: "1"', 1), chain, [])).toMatchObject({ lost: [], duplicates: [] });
  });

  it('tells a double by reference although the content differs', () => {
    const journals = allEffects('1', 100);
    journals['techone']?.push(effect('techone', '1', 200, { body: { text: 'Request 7: a light is out' } }));
    expect(judge(journals, steps('1', 1), chain, []).duplicates).toEqual([expect.stringContaining('reference ref-techone-1 2 times')]);
  });

  it('does not take an update of the same record for a double', () => {
    const journals = allEffects('1', 100);
    journals['salesforce']?.push(effect('salesforce', '1', 200, { kind: 'updated', recordId: journals['salesforce'][0]?.recordId ?? '' }));
    expect(judge(journals, steps('1', 1), chain, []).duplicates).toEqual([]);
  });

  it('sees a step written before its predecessor', () => {
    const journals = allEffects('1', 100);
    journals['genesys'] = [effect('genesys', '1', 500)];
    expect(judge(journals, steps('1', 1), chain, []).outOfOrder).toEqual(['event 1: techone was written before genesys']);
  });

  it('sees an event overtake an earlier one of the same subject, and lets strangers overtake each other', () => {
    const [first, second] = [allEffects('1', 100), allEffects('2', 100)];
    const overtaken = Object.fromEntries(chain.map((provider) => [provider, [...(first[provider] ?? []), ...(second[provider] ?? [])]]));
    expect(judge(overtaken, [...steps('2', 1, 'place'), ...steps('1', 2, 'place')], chain, []).outOfOrder).toEqual(['techone: event 1 overtook 2 of the same subject']);
    expect(judge(overtaken, [...steps('2', 1, 'here'), ...steps('1', 2, 'there')], chain, []).outOfOrder).toEqual([]);
  });
});
