import { describeConnector, simulatorFor, SimulatorControl, tryOut, type TryOut } from '../../testing/index.js';
import { genesys } from './genesys.js';

describeConnector(genesys, {
  simulator: () => simulatorFor({ provider: 'genesys' }),
  settings: (url) => ({ api_url: url, login_url: url }),
  actions: { log_conversation: { input: { text: 'A call about a bin.', contact_reference: 'resident-1', contact_name: 'Resident' }, writePath: '/notes' } },
  setup: `${__dirname}/SETUP.md`,
});

describe('what is odd about Genesys Cloud', () => {
  const input = { text: 'A call about a bin.', contact_reference: 'resident-7', contact_name: 'Resident' };
  let simulator: { readonly url: string; stop(): Promise<void> };
  let control: SimulatorControl;
  let genesysCloud: TryOut;

  beforeAll(async () => {
    simulator = await simulatorFor({ provider: 'genesys', limits: { perMinute: 6 } });
    control = new SimulatorControl(simulator.url);
    genesysCloud = tryOut(genesys, { api_url: simulator.url });
  });
  afterAll(async () => {
    await genesysCloud.close();
    await simulator.stop();
  });
  afterEach(() => control.clear());

  it('registers a contact once, by its reference, and writes each note below it', async () => {
    const [first, second] = [await genesysCloud.write('log_conversation', input, 'a'.repeat(32)), await genesysCloud.write('log_conversation', input, 'b'.repeat(32))];
    expect(first.answer).toMatchObject({ kind: 'ok' });
    expect(second.answer).toMatchObject({ kind: 'ok' });
    expect((await control.effects()).filter(({ kind, recordType }) => kind === 'created' && recordType === 'contact')).toHaveLength(1);
    expect((await control.effects()).filter(({ recordType }) => recordType === 'note')).toHaveLength(2);
  });

  it('needs one call only when the contact is known', async () => {
    await control.advance(61_000);
    const contactId = (await control.effects()).find(({ recordType }) => recordType === 'contact')?.recordId;
    const before = await control.callCount();
    await genesysCloud.write('log_conversation', { text: 'Again.', contact_id: contactId }, 'c'.repeat(32));
    expect((await control.callCount()) - before).toBe(1);
  });

  it('waits as long as the provider\'s own limiter says', async () => {
    await control.advance(61_000);
    const sinceMs = Date.now();
    const outcomes = [];
    for (let number = 0; number < 4; number += 1) outcomes.push((await genesysCloud.write('log_conversation', input, String(number).repeat(32))).answer);
    const last = outcomes.at(-1);
    expect(last).toMatchObject({ kind: 'throttled', code: 'too.many.requests.retry.after' });
    if (last?.kind === 'throttled') expect(last.untilMs - sinceMs).toBeGreaterThan(55_000);
    await control.advance(61_000);
  });

  it.each([
    ['in the text of the error', { body: { code: 'too.many.requests.retry.after', message: 'Rate limit exceeded. Retry the request in [23] seconds' } }, 23_000],
    ['nowhere', { body: { code: 'too.many.requests', message: 'Rate limit exceeded' } }, 60_000],
  ])('waits when the seconds stand %s', async (_where, { body }, waitMs) => {
    await control.advance(61_000);
    await control.fault({ match: { path: '/notes', method: 'POST' }, status: 429, body, times: 1 });
    const sinceMs = Date.now();
    const { answer } = await genesysCloud.write('log_conversation', input, 'd'.repeat(32));
    expect(answer.kind).toBe('throttled');
    if (answer.kind !== 'throttled') return;
    // From the answer on, which came between the two.
    expect(answer.untilMs).toBeGreaterThanOrEqual(sinceMs + waitMs);
    expect(answer.untilMs).toBeLessThanOrEqual(Date.now() + waitMs);
  });

  it('takes the daily quota that comes as a bad request for throttling', async () => {
    await control.advance(61_000);
    await control.fault({ match: { path: '/notes', method: 'POST' }, status: 400, body: { code: 'service.limit.per.day.maximum.created.limit.reached', message: 'Limit reached' }, times: 1 });
    expect((await genesysCloud.write('log_conversation', input, 'e'.repeat(32))).answer).toMatchObject({ kind: 'throttled' });
  });

  it('finds no note where the contact itself was never made', async () => {
    await control.advance(61_000);
    expect((await genesysCloud.search('log_conversation', { ...input, contact_reference: 'nobody' }, 'f'.repeat(32))).answer).toEqual({ kind: 'none' });
  });
});
