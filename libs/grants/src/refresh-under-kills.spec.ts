import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { simulatorFor, SimulatorControl } from '@trunkline/connectors/testing';
import { inTenant, openVault } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import { refreshesAt, signInAtSimulator, type SignedInIntegration } from './testing/index.js';

jest.setTimeout(300_000);

const root = resolve(__dirname, '../../..');
const masterKey = Buffer.alloc(32, 7);
const kills = 12;

/** Three processes call with one grant whose access token ends again and again, while one after the other is killed, mostly in the middle of a refresh. */
describe.each([
  ['stay good', false],
  ['end with their use', true],
])('refresh tokens that %s, and processes that die', (_name, rotates) => {
  const organisationId = randomUUID();
  let database: TestDatabase;
  let simulator: { readonly url: string; stop(): Promise<void> };
  let integration: SignedInIntegration;
  const running = new Map<number, { readonly child: ChildProcess; readonly said: string[] }>();

  beforeAll(async () => {
    spawnSync(process.execPath, ['tools/build.mjs', '--all'], { cwd: root, stdio: 'inherit' });
    database = await openTestDatabase();
    simulator = await simulatorFor({ provider: 'salesforce', options: { refreshTokenRotates: rotates } });
    await inTenant(database.databases, organisationId, (client) => client.query('insert into organisations (id, name) values ($1, $2)', [organisationId, 'Harbour City Council']));
    const vault = openVault(database.databases, { keys: [{ id: 'test', key: masterKey }], current: 'test' });
    integration = await signInAtSimulator({ databases: database.databases, vault, organisationId, provider: 'salesforce', settings: { instance_url: simulator.url } });
    for (const place of [0, 1, 2]) start(place);
  });
  afterAll(async () => {
    for (const { child } of running.values()) child.kill('SIGKILL');
    await integration?.close();
    await simulator?.stop();
    await database?.close();
  });

  function start(place: number): void {
    const env = { ...process.env, DATABASE_URL: database.url, MASTER_KEY: masterKey.toString('base64'), ORGANISATION_ID: organisationId, INTEGRATION_ID: integration.integrationId, PROVIDER_URL: simulator.url };
    const child = spawn(process.execPath, ['libs/grants/dist/testing/refresher.js'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env });
    const said: string[] = [];
    child.stdout.on('data', (data: Buffer) => said.push(...data.toString().trim().split('\n')));
    running.set(place, { child, said });
  }
  const grant = async (): Promise<{ readonly state: string; readonly version: number; readonly isRefreshing: boolean }> =>
    (await inTenant(database.databases, organisationId, (client) => client.query<{ state: string; version: number; isRefreshing: boolean }>('select state, version, refreshing_by is not null and refreshing_until > clock_timestamp() as "isRefreshing" from grants'))).rows[0] ?? { state: 'none', version: 0, isRefreshing: false };
  async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
    const endMs = performance.now() + 60_000;
    while (!(await isSo())) {
      if (performance.now() > endMs) throw new Error(`${what} did not happen: ${[...running.values()].map(({ said }) => said.slice(-5).join(' ')).join(' | ')}`);
      await new Promise((go) => setTimeout(go, 15));
    }
  }
  /** Every living process has had a call answered with 200 since. */
  async function untilAllWork(): Promise<void> {
    const since = new Map([...running].map(([place, { said }]) => [place, said.length]));
    await until('a good call of each', async () => {
      if ((await grant()).state === 'reconnect') {
        parks += 1;
        await integration.signInAgain();
      }
      return [...running].every(([place, { said }]) => said.slice(since.get(place)).includes('200'));
    });
  }
  let parks = 0;

  it('work again in the end; what the provider refuses ends in a parking, and no refresh is made without need', async () => {
    const control = new SimulatorControl(simulator.url);
    await control.fault({ match: { path: '/services/oauth2/token' }, latencyMs: 120 });
    await untilAllWork();
    let expiries = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      const { version } = await grant();
      await control.expireTokens();
      expiries += 1;
      // Most die while somebody is at the refresh; in a third of the cases it is they. Whoever stood still meanwhile finds it over.
      await until('somebody refreshing', async () => {
        const now = await grant();
        return now.isRefreshing || now.version > version || now.state !== 'connected';
      });
      const place = kill % 3;
      running.get(place)?.child.kill('SIGKILL');
      start(place);
      await untilAllWork();
    }
    const outcomes = (await refreshesAt(simulator.url)).map(({ outcome }) => outcome);
    const [issued, refused] = [outcomes.filter((outcome) => outcome === 'issued').length, outcomes.filter((outcome) => outcome === 'invalid_grant').length];
    process.stderr.write(`${kills} kills: ${issued} refreshes for ${expiries} expiries, ${refused} refused, ${parks} times parked\n`);
    // One for each expiry, and one more for each process that died over one.
    expect(issued).toBeGreaterThan(0);
    expect(issued).toBeLessThanOrEqual(expiries + kills);
    // Once for each parking; once more where the one refused stood still for longer than its lease, so that the next asked too before it was parked.
    expect(refused).toBeLessThanOrEqual(2 * parks);
    if (!rotates) expect(refused).toBe(0);
    expect(await grant()).toMatchObject({ state: 'connected', isRefreshing: false });
  });
});
