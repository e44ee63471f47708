import { describeConnector, simulatorFor, SimulatorControl, tryOut, type TryOut } from '../../testing/index.js';
import { factsOf } from '../../kit/action-facts.js';
import { techone } from './techone.js';

describeConnector(techone, {
  simulator: () => simulatorFor({ provider: 'techone' }),
  settings: (url) => ({ base_url: `${url}/T1Default/CiAnywhere/Web/TEST` }),
  actions: { create_job: { input: { description: 'Missed bin', details: 'Since Monday', type: 'GEN', priority: '3' }, writePath: '/Save' } },
  setup: `${__dirname}/SETUP.md`,
});

describe('what is odd about TechnologyOne', () => {
  const input = { description: 'Missed bin' };
  let simulator: { readonly url: string; stop(): Promise<void> };
  let control: SimulatorControl;
  const open: TryOut[] = [];
  const others: { stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    simulator = await simulatorFor({ provider: 'techone', searchLagMs: 30_000 });
    control = new SimulatorControl(simulator.url);
  });
  afterAll(async () => {
    await Promise.all(open.map((tenant) => tenant.close()));
    await Promise.all([simulator, ...others].map((running) => running.stop()));
  });
  afterEach(() => control.clear());

  /** Stopped at the end, also when its test fails. */
  async function another(options: Readonly<Record<string, string | number | boolean | readonly string[]>>): Promise<string> {
    const running = await simulatorFor({ provider: 'techone', options });
    others.push(running);
    return running.url;
  }

  function tenant(settings: Readonly<Record<string, unknown>> = {}): TryOut {
    const made = tryOut(techone, { base_url: simulator.url, ...settings });
    open.push(made);
    return made;
  }

  it('takes a success that says Error for a refusal, without a doubt', async () => {
    await control.fault({ match: { path: '/Save' }, body: { Items: [], Messages: [{ Code: 'WRKR0104', Message: 'Description must be entered.', NotificationType: 'Error' }] }, times: 1 });
    expect((await tenant().write('create_job', input, 'a'.repeat(32))).answer).toEqual({ kind: 'failed', class: 'data', code: 'WRKR0104', message: 'Description must be entered.' });
  });

  it('takes a success with a warning for a success', async () => {
    expect((await tenant().write('create_job', { description: 'x'.repeat(300) }, 'b'.repeat(32))).answer).toMatchObject({ kind: 'ok' });
  });

  it('takes the login page for refused credentials', async () => {
    await control.fault({ match: { path: '/Save' }, html: true });
    expect((await tenant().write('create_job', input, 'c'.repeat(32))).answer).toMatchObject({ kind: 'auth' });
  });

  it('takes the redirect to the login page for refused credentials', async () => {
    await control.fault({ match: { path: '/Save' }, status: 302 });
    expect((await tenant().write('create_job', input, 'd'.repeat(32))).answer).toMatchObject({ kind: 'auth' });
  });

  it('does not find what the report does not show yet, and states no bound of its own', async () => {
    const one = tenant();
    await one.write('create_job', input, 'e'.repeat(32));
    expect((await one.search('create_job', input, 'e'.repeat(32))).answer).toEqual({ kind: 'none' });
    await control.advance(31_000);
    expect((await one.search('create_job', input, 'e'.repeat(32))).answer).toMatchObject({ kind: 'found' });
    expect(factsOf(techone, 'create_job')?.search).toEqual({ commitWithinMs: null, visibleAfterMs: null });
    expect(factsOf(techone, 'create_job', { search_commit_within_ms: 5_000, search_visible_after_ms: 30_000 })?.search).toEqual({ commitWithinMs: 5_000, visibleAfterMs: 30_000 });
  });

  it('proves nothing by a report that does not show the user field', async () => {
    const blind = await another({ omittedColumns: ['Userfield1Alpha'] });
    const one = tenant({ base_url: blind });
    await one.write('create_job', input, 'f'.repeat(32));
    expect((await one.search('create_job', input, 'f'.repeat(32))).answer).toMatchObject({ kind: 'failed', class: 'transient' });
    expect(await one.check()).toMatchObject({ isGood: false });
  });

  it('sends the token as the tenant wants it', async () => {
    const bare = await another({ authPrefix: 'bare' });
    expect((await tenant({ base_url: bare }).write('create_job', input, '1'.repeat(32))).answer).toMatchObject({ kind: 'auth' });
    expect((await tenant({ base_url: bare, auth_prefix: 'none' }).write('create_job', input, '2'.repeat(32))).answer).toMatchObject({ kind: 'ok' });
  });

  it('lives with a token that does not say how long it lives', async () => {
    const silent = await another({ sendsExpiresIn: false, tokenLifeSeconds: 60 });
    const silentControl = new SimulatorControl(silent);
    const one = tenant({ base_url: silent });
    expect((await one.write('create_job', input, '3'.repeat(32))).answer).toMatchObject({ kind: 'ok' });
    await silentControl.advance(120_000);
    expect((await one.write('create_job', input, '4'.repeat(32))).answer).toMatchObject({ kind: 'ok' });
    expect(await silentControl.tokensIssued()).toBe(2);
  });
});
