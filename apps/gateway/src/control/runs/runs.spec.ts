import { randomUUID } from 'node:crypto';
import { actionCatalogue } from '@trunkline/connectors';
import type { Consumption } from '@trunkline/event-log';
import { createLedger, type Ledger } from '@trunkline/ledger';
import { type TestGateway, startTestGateway } from '../../testing/test-gateway.js';

jest.setTimeout(120_000);

type Shown = { readonly run_id: string; readonly state: string; readonly chain_version: number; readonly event: Record<string, unknown>; readonly steps: readonly Record<string, unknown>[] };

describe('runs over HTTP, with a ledger at work and no worker', () => {
  let gateway: TestGateway;
  let ledger: Ledger;
  let consumption: Consumption;
  let crm = '';
  const failures: unknown[] = [];

  beforeAll(async () => {
    gateway = await startTestGateway();
    ledger = createLedger({ databases: gateway.database.databases, eventLog: gateway.eventLog, catalogue: actionCatalogue, report: (error) => failures.push(error) });
    await ledger.start();
    consumption = await gateway.eventLog.consume({ mode: 'batch', group: ledger.group, topics: ledger.topics, maxRecords: ledger.maxRecords, handleBatch: (records) => ledger.handleBatch(records) });
    const answer = await gateway.send('POST', `/api/integrations/org/${gateway.organisationId}`, { provider: 'salesforce', name: 'CRM', settings: { instance_url: 'https://crm.example.org' }, credentials: { client_id: 'a', client_secret: 'b' } });
    crm = String(answer.body['id']);
    await gateway.send('POST', `/api/integrations/${crm}/pause`);
    const step = { name: 'summary', integration: crm, priority: 10, action: 'push_summary', input: { subject: { path: 'event.subject' } } };
    // Repeated as its answer asks for, while the database is too slow to commit it in time.
    const saved = await shown('the chain is saved', async () => {
      const answer = await gateway.send('PUT', '/api/chains/escalation', { steps: [step] });
      return answer.status === 503 ? null : answer;
    });
    await shown('the chain is in force', async () => (Date.now() > Date.parse(String(saved.body['valid_from'])) + 50 ? true : null));
    // A ledger hears of a pause within a second of its own time.
    let probes = 0;
    await shown('the pause is heard', async () => ((await published(`heard-${(probes += 1)}`)).steps[0]?.['reason'] === 'paused' ? true : null));
  }, 120_000);

  afterAll(async () => {
    await consumption?.stop(1_000);
    await ledger?.stop(1_000);
    await gateway?.close();
    expect(failures).toEqual([]);
  }, 60_000);
  afterEach(() => expect(gateway.bugs).toEqual([]));

  it('shows a step that waits, with its reason', async () => {
    const run = await published('waits');
    expect(run).toMatchObject({ state: 'running', chain_version: 1, event: { id: 'waits', type: 'escalation', subject: 'Café', data: { reason: 'asked' } }, steps: [{ id: 'summary', name: 'summary', provider: 'salesforce', action: 'push_summary', state: 'ready', reason: 'paused', attempts: [] }] });
  });

  it('finds runs by state, type, subject and integration, page by page', async () => {
    await published('page-1');
    await published('page-2');
    const first = await gateway.send('GET', `/api/runs?state=running&event_type=escalation&subject=${encodeURIComponent('Café')}&integration_id=${crm}&limit=1`);
    expect(first.body['runs']).toHaveLength(1);
    const second = await gateway.send('GET', `/api/runs?state=running&limit=1&after=${String(first.body['next'])}`);
    const ids = [first, second].map(({ body }) => (body['runs'] as { run_id: string }[])[0]?.run_id);
    expect(new Set(ids).size).toBe(2);
    expect((await gateway.send('GET', '/api/runs?subject=nothing')).body).toEqual({ runs: [], next: null });
    expect((await gateway.send('GET', '/api/runs?after=made-up')).status).toBe(400);
  });

  it('cancels what has not been sent', async () => {
    const { run_id: id } = await published('cancelled');
    const answer = await gateway.send('POST', `/api/runs/${id}/cancel`);
    expect(answer.body).toMatchObject({ run_id: id, state: 'cancelled', cancelled: ['summary'], cancel_requested: [], possibly_written: [] });
    expect((await run(id))?.state).toBe('cancelled');
    expect((await gateway.send('POST', `/api/runs/${id}/cancel`)).body).toMatchObject({ state: 'cancelled' });
  });

  it('says what a replay would do, and replays once per Idempotency-Key', async () => {
    const { run_id: id } = await published('replayed');
    expect((await gateway.send('POST', `/api/runs/${id}/replay`, { dry_run: true })).body).toMatchObject({ run_id: null, dry_run: true, steps: [{ id: 'summary', will: 'run' }] });
    const key = { 'idempotency-key': randomUUID() };
    const answers = [await gateway.send('POST', `/api/runs/${id}/replay`, {}, key), await gateway.send('POST', `/api/runs/${id}/replay`, {}, key)];
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    expect(answers[0]?.body['run_id']).toBe(answers[1]?.body['run_id']);
    const replayed = await shown('the replay is planned', () => run(String(answers[0]?.body['run_id'])));
    expect(replayed).toMatchObject({ root_run_id: id });
    expect((await gateway.send('POST', `/api/runs/${id}/replay`, { from_step: 'nowhere' })).body).toMatchObject({ status: 409 });
  });

  it('takes an answer only for a step that is asked about', async () => {
    const { run_id: id } = await published('settled');
    expect((await gateway.send('POST', `/api/runs/${id}/steps/summary/settle`, { outcome: 'done', external_id: 'x' })).body).toMatchObject({ status: 409, code: 'run.step_not_asked' });
    expect((await gateway.send('POST', `/api/runs/${id}/steps/nowhere/settle`, { outcome: 'not_done' })).status).toBe(404);
    expect((await gateway.send('POST', `/api/runs/${id}/steps/summary/settle`, { outcome: 'perhaps' })).body).toMatchObject({ status: 400, code: 'request.invalid' });
    expect((await gateway.send('POST', `/api/runs/${randomUUID()}/cancel`)).status).toBe(404);
  });

  async function published(id: string): Promise<Shown> {
    const answer = await gateway.send('POST', '/api/events', { specversion: '1.0', id, source: '/runs', type: 'escalation', subject: 'Café', data: { conversation_id: id, reason: 'asked' } });
    const [receipt] = answer.body['receipts'] as { run_id: string }[];
    return shown('the run is planned', () => run(receipt?.run_id ?? ''));
  }

  async function run(id: string): Promise<Shown | null> {
    const answer = await gateway.send('GET', `/api/runs/${id}`);
    return answer.status === 200 ? (answer.body as unknown as Shown) : null;
  }
});

async function shown<Value>(what: string, probe: () => Promise<Value | null>): Promise<Value> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const value = await probe();
    if (value !== null) return value;
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
