import type { Council } from '../support/council.js';
import type { Answer, GatewayClient, Loose } from '../support/gateway-client.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';

jest.setTimeout(120_000);

describe('P8: a run uses the chain as it stood when its event was accepted', () => {
  let system: System;
  let council: Council;
  let client: GatewayClient;
  let validFromMs = 0;
  const runIds = new Map<string, string>();

  beforeAll(async () => {
    system = await System.start({ providers: { genesys: { latencyMs: 100 } } });
    council = await system.seed();
    client = system.client(council);
  });

  afterAll(() => system.end());

  const taskOf = async (eventId: string): Promise<string> => JSON.stringify((await system.providers.salesforce.journal()).findLast(({ body }) => JSON.stringify(body).includes(`${eventId}:`))?.body);

  /** Repeated as its answer asks for, while the database is too slow to commit it in time. */
  const save = async (steps: readonly unknown[], etag: string): Promise<Answer> => {
    for (let tries = 1; ; tries += 1) {
      const answer = await client.ask('PUT', '/api/chains/conversation_ended', { steps }, { 'if-match': etag });
      if (answer.status !== 503 || tries === 10) return answer;
    }
  };

  it('keeps runs in flight on the version of their acceptance while a new one comes into force', async () => {
    const read = await client.ask('GET', '/api/chains/conversation_ended');
    const steps = (read.json['steps']?.map((step) => step) ?? []).map((step: Loose) => (String(step['id']) === 'salesforce' ? { ...step, input: { ...step['input'], subject: { cel: `'Request ' + event.id + ': second edition of job ' + steps.techone.job_number` } } } : step));
    let saved: Promise<Loose> | undefined;
    let inForceMs = Number.POSITIVE_INFINITY;
    // Until some have come after the change, however long it takes on a busy machine.
    for (let index = 0; index < 40 || (index < 400 && Date.now() < inForceMs + 300); index += 1) {
      const eventId = `pinned-${String(index).padStart(2, '0')}`;
      for (const [id, runId] of await client.publishSurely([councilEvent(eventId)])) runIds.set(id, runId);
      if (index === 5) saved = save(steps, read.headers.get('etag') ?? '').then((answer) => {
        expect({ status: answer.status, body: answer.json }).toMatchObject({ status: 200, body: { version: 2 } });
        inForceMs = Date.parse(String(answer.json['valid_from']));
        return answer.json;
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    validFromMs = Date.parse(String((await saved)?.['valid_from']));
    // To the millisecond, in which events are accepted: what the answer says is what holds.
    expect(await system.reader.query(`select from chain_versions where version = 2 and valid_from <> date_trunc('milliseconds', valid_from)`)).toEqual([]);
    await system.untilState(runIds.values(), 'done');
    const accepted = await system.reader.query<{ event_id: string; at: number; chain_version: number }>(`select event_id, (extract(epoch from accepted_at) * 1000)::float8 as at, chain_version from runs join run_events using (organisation_id, run_id)`);
    expect(accepted).toHaveLength(runIds.size);
    expect(new Set(accepted.map(({ chain_version: version }) => version))).toEqual(new Set([1, 2]));
    for (const { event_id: eventId, at, chain_version: version } of accepted) {
      expect({ eventId, version }).toEqual({ eventId, version: at < validFromMs ? 1 : 2 });
      expect(await taskOf(eventId)).toMatch(version === 1 ? /Request pinned-\d+: job / : /second edition of job/);
    }
  });

  it('replays under the version that was asked for, and says which', async () => {
    const original = runIds.get('pinned-00') ?? '';
    const replayed: Record<string, number> = {};
    for (const version of ['pinned', 'current'] as const) {
      const answer = await client.ask('POST', `/api/runs/${original}/replay`, { version });
      expect({ status: answer.status, text: answer.text }).toMatchObject({ status: 202 });
      const runId = String(answer.json['run_id']);
      await system.untilState([runId], 'done');
      const shown = (await client.ask('GET', `/api/runs/${runId}`)).json;
      expect(shown).toMatchObject({ root_run_id: original });
      replayed[version] = Number(shown['chain_version']);
      expect(await taskOf('pinned-00')).toMatch(version === 'pinned' ? /Request pinned-00: job / : /second edition/);
    }
    expect(replayed).toEqual({ pinned: 1, current: 2 });
  });
});
