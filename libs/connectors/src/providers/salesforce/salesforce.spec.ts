import { describeConnector, simulatorFor, SimulatorControl, tryOut, type TryOut } from '../../testing/index.js';
import { salesforce } from './salesforce.js';

describeConnector(salesforce, {
  simulator: () => simulatorFor({ provider: 'salesforce' }),
  settings: (url) => ({ instance_url: url }),
  actions: { push_summary: { input: { subject: 'Missed bin', job_number: 'WR-000001', description: 'Since Monday' }, writePath: '/sobjects/Task/' } },
  setup: `${__dirname}/SETUP.md`,
});

describe('what is odd about Salesforce', () => {
  const input = { subject: 'Missed bin', job_number: 'WR-000001', description: 'Since Monday' };
  let simulator: { readonly url: string; stop(): Promise<void> };
  let control: SimulatorControl;
  let org: TryOut;

  beforeAll(async () => {
    simulator = await simulatorFor({ provider: 'salesforce' });
    control = new SimulatorControl(simulator.url);
    org = tryOut(salesforce, { instance_url: simulator.url });
  });
  afterAll(async () => {
    await org.close();
    await simulator.stop();
  });
  afterEach(() => control.clear());

  it('writes the job\'s number into the task', async () => {
    await org.write('push_summary', input, 'a'.repeat(32));
    const [effect] = await control.effectsOf('a'.repeat(32));
    expect(effect?.body).toMatchObject({ Description: expect.stringContaining('WR-000001') as unknown, Status: 'Completed' });
  });

  it.each([
    ['the daily limit', 'TotalRequests Limit exceeded.', 15 * 60_000],
    ['the limit of long calls', 'ConcurrentPerOrgLongTxn Limit exceeded.', 60_000],
  ])('treats the 403 of %s as throttling, not as a revoked grant', async (_name, message, waitMs) => {
    await control.fault({ match: { method: 'PATCH' }, status: 403, body: [{ message, errorCode: 'REQUEST_LIMIT_EXCEEDED' }], times: 1 });
    const sinceMs = Date.now();
    const { answer } = await org.write('push_summary', input, 'b'.repeat(32));
    expect(answer).toMatchObject({ kind: 'throttled', code: 'REQUEST_LIMIT_EXCEEDED' });
    if (answer.kind !== 'throttled') return;
    // From the answer on, which came between the two.
    expect(answer.untilMs).toBeGreaterThanOrEqual(sinceMs + waitMs);
    expect(answer.untilMs).toBeLessThanOrEqual(Date.now() + waitMs);
  });

  it('does not fetch token after token for a 401 that no token can help', async () => {
    await org.write('push_summary', input, 'c'.repeat(32));
    const before = await control.tokensIssued();
    await control.fault({ match: { method: 'PATCH' }, status: 401, body: [{ message: 'This session is not valid for use with the REST API', errorCode: 'INVALID_SESSION_ID' }], times: 1 });
    expect((await org.write('push_summary', input, 'd'.repeat(32))).answer).toMatchObject({ kind: 'auth' });
    expect(await control.tokensIssued()).toBe(before);
  });

  it('repeats what lost against another upsert of the same key', async () => {
    await control.fault({ match: { method: 'PATCH' }, status: 400, body: [{ message: 'duplicate value found', errorCode: 'DUPLICATE_VALUE' }], times: 1 });
    expect((await org.write('push_summary', input, 'e'.repeat(32))).answer).toMatchObject({ kind: 'transient' });
  });

  it('takes several records under one key for a conflict', async () => {
    await control.fault({ match: { method: 'PATCH' }, status: 300, body: ['/services/data/v68.0/sobjects/Task/1', '/services/data/v68.0/sobjects/Task/2'], times: 1 });
    expect((await org.write('push_summary', input, 'f'.repeat(32))).answer).toMatchObject({ kind: 'failed', class: 'conflict' });
  });

  it('fails its check on a field that is not unique: an upsert would not be one', async () => {
    const loose = tryOut(salesforce, { instance_url: simulator.url, external_id_field: 'Legacy_Id__c' });
    const { isGood, findings } = await loose.check();
    expect(isGood).toBe(false);
    expect(findings.at(-1)?.problem).toContain('Unique');
    await loose.close();
  });

  it('refuses what the provider refuses, with its own code', async () => {
    expect((await org.write('push_summary', { ...input, activity_date: 'yesterday' }, '9'.repeat(32))).answer).toMatchObject({ kind: 'failed', class: 'data', code: 'JSON_PARSER_ERROR' });
  });
});
