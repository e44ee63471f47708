import { join, resolve } from 'node:path';
import { freePort } from '@trunkline/local-services';
import { type RunningSimulator, simulators, startProvider } from '@trunkline/simulators';
import { Landscape } from '../processes/landscape.js';
import { simulatedProviders } from './council.js';
import { Interventions } from './interventions.js';
import type { Rehearsed } from './provider-fault.js';
import { simulatedRehearsal } from './rehearsal/simulated.js';
import type { Happening } from './schedule.js';
import { askSimulator } from './simulator-control.js';

jest.setTimeout(120_000);

const stopping = new AbortController();
const main = resolve(__dirname, '..', '..', '..', '..', 'libs', 'simulators', 'dist', 'main.js');
const inProcess: RunningSimulator[] = [];
let landscape: Landscape;
let killed: Rehearsed;
let living: Rehearsed;

/** Real simulators: one as a process that can be killed, and each in this process. */
beforeAll(async () => {
  landscape = await Landscape.prepare({ driver: 'postgres' });
  const url = `http://127.0.0.1:${await freePort()}`;
  const genesys = landscape.add({ name: 'genesys simulator', words: [main, 'genesys', '--data', landscape.folder, '--port', new URL(url).port, '--stop-with-parent'], environment: {}, readyUrl: `${url}/_control/clock` });
  genesys.start();
  for (const name of simulatedProviders) inProcess.push(await startProvider(name === 'rehearsal' ? simulatedRehearsal : simulators[name], { dataDir: join(landscape.folder, name), port: 0, limits: 'off' }));
  await genesys.untilReady();
  const hands = { landscape, councils: [], gatewayUrl: '' };
  killed = { ...hands, control: (_, method, path, body) => askSimulator(url, method, path, body) };
  living = { ...hands, control: (provider, method, path, body) => askSimulator(inProcess[simulatedProviders.indexOf(provider)]?.url ?? '', method, path, body) };
});

afterAll(async () => {
  stopping.abort();
  await Promise.all(inProcess.map((simulator) => simulator.stop()));
  await landscape?.end();
});

function carryingOut(platform: Rehearsed, schedule: readonly Happening[]): Interventions {
  return new Interventions({ platform, schedule, inFlightWished: 0, signal: stopping.signal, inFlight: () => 0, lookAgain: () => Promise.resolve(), hurry: () => undefined, isLoadOver: () => false });
}

const fault = { kind: 'provider-fault', atMs: 0, provider: 'genesys', fault: 'throttled', forMs: 1 } as const;

it('every provider takes every fault, and nothing of it stays', async () => {
  const faults = ['throttled', 'reset-after-write', 'reset-before-write', 'server-errors', 'slow', 'search-lag', 'tokens-expire', 'revoked'] as const;
  const interventions = carryingOut(living, simulatedProviders.flatMap((provider) => faults.map((one) => ({ ...fault, provider, fault: one }))));
  await interventions.run();
  expect({ ...interventions.providerFaults, troubles: interventions.troubles }).toEqual({ taken: 32, leftOut: 0, troubles: [] });
  for (const provider of simulatedProviders) {
    expect([provider, await living.control(provider, 'GET', '/faults')]).toEqual([provider, { faults: [] }]);
    expect([provider, await living.control(provider, 'GET', '/stats')]).toMatchObject([provider, { isRevoked: false }]);
  }
});

it('an order that is refused is told, and no fault that counts', async () => {
  const interventions = carryingOut(living, [{ ...fault, path: '/[/' }]);
  await interventions.run();
  expect(interventions.troubles).toEqual([expect.stringMatching(/^throttled genesys provider: POST \/faults of the simulator .*: 400 .*simulator\./)]);
  expect(interventions.providerFaults).toEqual({ taken: 0, leftOut: 1 });
});

it('a fault that falls on a simulator just then killed is left out, is not counted, and is no trouble', async () => {
  // It stays down until the end of this test.
  const interventions = carryingOut(killed, [{ kind: 'kill', atMs: 0, target: 'genesys simulator', downMs: 600_000 }, { ...fault, atMs: 1 }, { ...fault, atMs: 2, fault: 'tokens-expire' }]);
  const running = interventions.run();
  while (interventions.done.filter(({ kind, endedAtMs }) => kind === 'provider-fault' && endedAtMs !== null).length < 2) await new Promise((done) => setTimeout(done, 5));
  stopping.abort();
  await running;
  expect({ ...interventions.providerFaults, troubles: interventions.troubles, skipped: interventions.skipped }).toEqual({ taken: 0, leftOut: 2, troubles: [], skipped: [] });
});
