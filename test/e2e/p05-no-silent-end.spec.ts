import type { Council } from '../support/council.js';
import type { GatewayClient, Loose } from '../support/gateway-client.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

describe('P5: every record is done, waiting, parked or dead-lettered, and can be found, explained and redriven', () => {
  let system: System;
  let council: Council;
  let client: GatewayClient;

  beforeAll(async () => {
    system = await System.start();
    council = await system.seed();
    client = system.client(council);
  });

  afterEach(() => Promise.all([system.providers.techone, system.providers.salesforce].map((provider) => provider.clearFaults())));
  afterAll(() => system.end());

  const stepOf = async (runId: string, name: string): Promise<Loose> => {
    const { json } = await client.ask('GET', `/api/runs/${runId}`);
    return json['steps']?.map((step) => step).find((step) => String(step['name']) === name) ?? ({} as Loose);
  };
  const openLetters = async (): Promise<readonly Loose[]> => (await client.ask('GET', '/api/dead-letters')).json['dead_letters']?.map((letter) => letter) ?? [];

  it('keeps a refused step as a dead letter with its reason, stops its chain, and continues it after a redrive', async () => {
    await system.providers.techone.addFault({ match: { operation: 'saveWorkRequest' }, status: 400 });
    const [runId = ''] = (await client.publishSurely([councilEvent('refused-1')])).values();
    await system.untilState([runId], 'dead-lettered');
    expect(await stepOf(runId, 'techone')).toMatchObject({ state: 'dead-lettered', reason: expect.stringMatching(/./) });
    expect(await stepOf(runId, 'salesforce')).toMatchObject({ state: 'skipped', reason: expect.stringMatching(/./) });
    const [letter] = await openLetters();
    expect(letter).toMatchObject({ run_id: runId, code: expect.stringMatching(/./), message: expect.stringMatching(/./), first_at: expect.stringMatching(/^\d{4}-/) });

    await system.providers.techone.clearFaults();
    const dryRun = await client.ask('POST', '/api/dead-letters/redrive', { run_id: runId, dry_run: true });
    expect(dryRun.json).toMatchObject({ matched: 1, redriven: 0 });
    expect(await stepOf(runId, 'techone')).toMatchObject({ state: 'dead-lettered' });
    expect((await client.ask('POST', '/api/dead-letters/redrive', { run_id: runId })).json).toMatchObject({ matched: 1, redriven: 1 });
    await system.untilState([runId], 'done');
    expect((await system.effects()).filter(({ eventId }) => eventId === 'refused-1').map(({ provider }) => provider)).toEqual(['genesys', 'techone', 'salesforce']);
    expect(await openLetters()).toEqual([]);
  });

  it('says of a step that waits for its next try until when and why', async () => {
    // A refusal that proves nothing was written and passes.
    await system.providers.salesforce.addFault({ match: { operation: 'upsertRecord' }, status: 503 });
    const [runId = ''] = (await client.publishSurely([councilEvent('waits-1')])).values();
    const waiting = await until('the step waiting', async () => {
      const step = await stepOf(runId, 'salesforce');
      return String(step?.['state']) === 'deferred' && step;
    });
    await system.providers.salesforce.clearFaults();
    expect(waiting).toMatchObject({ reason: expect.stringMatching(/./), due_at: expect.stringMatching(/^\d{4}-/) });
    await system.untilState([runId], 'done');
  });

  it('says of a step behind a pause that it is paused', async () => {
    const { techone } = council.integrations;
    expect((await client.ask('POST', `/api/integrations/${techone}/pause`)).status).toBe(200);
    // A pause is heard of within a second; what is published until then may still pass.
    const runIds: string[] = [];
    const held = await until('a step being held', async () => {
      const [runId = ''] = (await client.publishSurely([councilEvent(`paused-${runIds.length}`)])).values();
      runIds.push(runId);
      const step = await until('the step having been reached', async () => {
        const reached = await stepOf(runId, 'techone');
        return ['ready', 'done'].includes(String(reached?.['state'])) && reached;
      });
      return String(step['state']) === 'ready' && step;
    }, 40_000, 200);
    expect(held).toMatchObject({ state: 'ready', reason: 'paused', attempt_count: 0 });
    expect((await client.ask('POST', `/api/integrations/${techone}/resume`)).status).toBe(200);
    await system.untilState(runIds, 'done');
  });

  it('puts a record that nobody can read aside, tells the operator, and goes on with the ones behind it', async () => {
    const organisation: readonly [string, Buffer] = ['ce_organisationid', Buffer.from(council.organisationId)];
    const key = Buffer.from('same-key');
    await system.log.append('events.conversation_ended', [
      { key, value: Buffer.from([0xff, 0x00, 0xfe]), headers: [] },
      { key, value: Buffer.from('{"broken":'), headers: [organisation] },
      { key, value: null, headers: [organisation] },
    ]);
    const runIds = await client.publishSurely(Array.from({ length: 8 }, (_, index) => councilEvent(`behind-${index}`)));
    await system.untilState(runIds.values(), 'done');
    const letters = await until('three dead letters', async () => {
      const rows = await system.reader.query<{ organisation_id: string; code: string; value: Buffer | null }>(`select organisation_id, code, record_value as value from dead_letters where run_id is null order by record_offset`);
      return rows.length >= 3 && rows;
    });
    expect(letters).toHaveLength(3);
    expect(letters.some(({ value }) => value?.equals(Buffer.from([0xff, 0x00, 0xfe])))).toBe(true);
    // The one without a readable organisation is nobody's but the operator's.
    expect((await openLetters()).length).toBe(letters.filter(({ organisation_id: owner }) => owner === council.organisationId).length);
  });
});
