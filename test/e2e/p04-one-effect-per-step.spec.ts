import { councilEvent } from '../support/service-requests.js';
import type { Council } from '../support/council.js';
import { councilChain } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);

describe('P4: a cut connection never makes a second effect', () => {
  let system: System;
  let council: Council;
  let client: GatewayClient;

  beforeAll(async () => {
    system = await System.start();
    council = await system.seed({ steps: (integrations) => councilChain(integrations).map((step) => ({ ...step, timeoutMs: 3_000, ordering: 'none' })) });
    client = system.client(council);
  });

  afterAll(() => system.end());

  /** The state in which a step stood at some moment, or undefined. */
  const stepOf = async (runId: string, stepId: string) => (await system.reader.run(runId))?.steps.find(({ id }) => id === stepId);

  it('settles a search-first write whose answer was lost by looking for it', async () => {
    await system.providers.techone.addFault({ match: { operation: 'saveWorkRequest' }, reset: 'after', times: 1 });
    // Nobody is told what is there before it has been seen here.
    await system.providers.techone.addFault({ match: { operation: 'runReport' }, status: 503 });
    const [runId = ''] = (await client.publishSurely([councilEvent('cut-after')])).values();
    const unknown = await until('the step being unknown', async () => {
      const step = await stepOf(runId, 'techone');
      return step?.state === 'unknown' && step;
    });
    expect(unknown).toMatchObject({ dispatch: 1 });
    expect(unknown.dueAtMs).toEqual(expect.any(Number));
    expect((await system.effects('salesforce')).filter(({ eventId }) => eventId === 'cut-after')).toEqual([]);
    await system.providers.techone.clearFaults();
    await system.untilState([runId], 'done');
    const jobs = (await system.effects('techone')).filter(({ eventId }) => eventId === 'cut-after');
    expect(jobs).toHaveLength(1);
    expect(await stepOf(runId, 'techone')).toMatchObject({ state: 'done', dispatch: 1, externalId: jobs[0]?.recordId });
    // The summary carries the job's number although its answer never came.
    const task = (await system.providers.salesforce.journal()).find(({ body }) => JSON.stringify(body).includes('Request cut-after:'));
    expect(JSON.stringify(task?.body)).toContain(jobs[0]?.recordId);
  });

  it('writes again only after two looks found nothing', async () => {
    await system.providers.techone.addFault({ match: { operation: 'saveWorkRequest' }, reset: 'before', times: 1 });
    const [runId = ''] = (await client.publishSurely([councilEvent('cut-before')])).values();
    await system.untilState([runId], 'done');
    expect((await system.effects('techone')).filter(({ eventId }) => eventId === 'cut-before')).toHaveLength(1);
    const attempts = (await system.reader.attempts(runId)).filter(({ stepId }) => stepId === 'techone');
    const looks = attempts.filter(({ outcome }) => outcome === 'none');
    // One that was made too early for the ledger's clock is made again; none is made on and on.
    expect(looks.length).toBeGreaterThanOrEqual(2);
    expect(looks.length).toBeLessThanOrEqual(4);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['unknown', ...looks.map(() => 'none'), 'ok']);
    expect((looks.at(-1)?.startedAtMs ?? 0) - (looks[0]?.startedAtMs ?? 0)).toBeGreaterThanOrEqual(2_000);
  });

  it('repeats an upsert at once and still leaves one record', async () => {
    await system.providers.salesforce.addFault({ match: { operation: 'upsertRecord' }, reset: 'after', times: 1 });
    const [runId = ''] = (await client.publishSurely([councilEvent('cut-upsert')])).values();
    await system.untilState([runId], 'done');
    expect((await system.effects('salesforce')).filter(({ eventId }) => eventId === 'cut-upsert')).toHaveLength(1);
    expect((await system.reader.attempts(runId)).filter(({ stepId }) => stepId === 'salesforce').map(({ outcome }) => outcome)).toEqual(['transient', 'ok']);
  });

  it('makes one effect of one event sent three times', async () => {
    const event = councilEvent('told-three-times');
    const answers = [await client.publish([event]), await client.publish([event, event])];
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    const [runId = ''] = (await client.publishSurely([event])).values();
    await system.untilState([runId], 'done');
    expect((await system.effects()).filter(({ eventId }) => eventId === 'told-three-times').map(({ provider }) => provider)).toEqual(['genesys', 'techone', 'salesforce']);
  });
});
