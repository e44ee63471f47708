import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Connecting } from '@trunkline/app-gateway/testing';
import { permissionsOfRole, type KeyActor } from '@trunkline/identity';
import { allowEverywhere, parseAllowedPlace, publicInternet } from '@trunkline/outbound';
import { hostsWithin } from '@trunkline/outbound/testing';
import { inTenant, type Integration } from '@trunkline/storage';
import { Ground, nameWithin, providerOf, type Target } from './ground.js';
import { askingWhereAnAddressStands, callers, callOfAWayOut, type WayOut, waysOut } from './ways-out.js';

jest.setTimeout(180_000);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Customers' addresses from wherever the product calls, each by its own code, real sockets and a listener that nobody may reach. */
describe('an address within', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await Ground.open();
  });
  afterAll(() => ground?.close());
  beforeEach(() => {
    ground.canary.connections = 0;
    ground.asked.clear();
  });

  /** The setting as a customer would have to write it, and the host that comes of it; null: it is no address. */
  function aimed(field: string, host: string): { readonly target: Target; readonly at: string | null } {
    const [providerId = '', name = ''] = (field.split('+')[0] ?? '').split('.');
    const below = field.split('+')[1];
    // What stands before an @ is no part of the host.
    const value = below === undefined ? `https://${host}:${ground.canary.port}` : `${host.endsWith('.example') ? '' : 'x@'}${host}:${ground.canary.port}`;
    const address = below === undefined ? value : `https://${below}.${value}`;
    // Where sign-ins go says nothing about where the API is.
    const rest = name === 'login_url' ? { region: 'trunkline.invalid' } : {};
    return { target: { provider: providerOf(providerId), settings: { [name]: value, ...rest } }, at: URL.canParse(address) ? new URL(address).host : null };
  }
  async function go(way: WayOut, outbound: ReturnType<Ground['outbound']>, hosts: readonly string[]): Promise<readonly string[]> {
    const aims = way.fields.flatMap((field) => hosts.map((host) => aimed(field, host))).filter(({ at }) => at !== null);
    const targets = aims.map(({ target }) => target);
    await way.go(ground, outbound, targets, await ground.integrations(targets, way.granted ?? null));
    return aims.flatMap(({ at }) => at ?? []);
  }

  describe.each(Object.entries<WayOut>(waysOut))('%s', (_, way) => {
    it('is not connected to, in whatever way it is written', async () => {
      const hosts = await go(way, ground.outbound(publicInternet({ ports: [443, ground.canary.port] })), [...hostsWithin, nameWithin]);
      expect(hosts.filter((host) => !ground.asked.has(host))).toEqual([]);
      expect(hosts.length).toBeGreaterThanOrEqual(60 * way.fields.length);
      expect(ground.canary.connections).toBe(0);
    });

    it.each(way.fields)('would be connected to if the policy let it: %s', async (field) => {
      await go({ ...way, fields: [field] }, ground.outbound(allowEverywhere), [nameWithin]);
      expect(ground.canary.connections).toBeGreaterThan(0);
    });
  });

  describe(`${askingWhereAnAddressStands}`, () => {
    let endpoint: Server;
    let named: string;
    beforeAll(async () => {
      endpoint = createServer((_, answer) => answer.setHeader('content-type', 'application/json').end(JSON.stringify({ access_token: 'a', refresh_token: 'r', token_type: 'bearer', instance_url: named })));
      endpoint.listen(0, '127.0.0.1');
      await once(endpoint, 'listening');
    });
    afterAll(() => endpoint?.close());
    const actor = (): KeyActor => ({ kind: 'key', keyId: 'spec', organisationId: ground.organisationId, address: '', permissions: permissionsOfRole.owner });

    /** A whole sign-in, at a token endpoint that names this address in its answer. */
    async function signIn(address: string, outbound: ReturnType<Ground['outbound']>): Promise<string> {
      named = address;
      const { databases } = ground.database;
      const { port } = endpoint.address() as AddressInfo;
      const [id = ''] = await ground.integrations([{ provider: providerOf('salesforce'), settings: { instance_url: `http://127.0.0.1:${port}` } }]);
      const read = async (): Promise<Integration> => (await inTenant(databases, ground.organisationId, (client) => client.query<Integration>(`select organisation_id as "organisationId", id, provider, name, settings, credentials, paused, version, created_at as "createdAt", updated_at as "updatedAt" from integrations where id = $1`, [id]))).rows[0] as Integration;
      const connecting = new Connecting({ databases, vault: ground.vault, outbound, integrations: { read, credentialsOf: () => Promise.resolve({ client_id: 'id', client_secret: 'secret' }) }, plane: { announce: () => Promise.resolve() } });
      const { url } = await connecting.begin(actor(), id, () => 'https://trunkline.example/oauth/callback/salesforce');
      const query = new URLSearchParams({ code: 'any', state: new URL(url).searchParams.get('state') ?? '' });
      const arrival = await connecting.arrive(await connecting.take(query, 'salesforce'), query, null);
      if (arrival.kind !== 'to-confirm') throw new Error('nothing to confirm');
      return connecting.confirm(actor(), id, arrival.code).then(() => 'connected', (error: { readonly code: string }) => error.code);
    }
    const policy = () => publicInternet({ allowed: [parseAllowedPlace(`127.0.0.1:${(endpoint.address() as AddressInfo).port}`)], ports: [443, ground.canary.port] });

    it('goes to no address within, under a foreign name or under the provider’s own', async () => {
      const outbound = ground.outbound(policy());
      for (const host of [...hostsWithin, nameWithin]) expect([host, await signIn(`https://${host}:${ground.canary.port}`, outbound)]).toEqual([host, 'oauth.foreign_instance']);
      expect([...ground.asked]).toEqual([`127.0.0.1:${(endpoint.address() as AddressInfo).port}`]);
      expect(await signIn('https://council.my.salesforce.com', outbound)).toBe('oauth.foreign_instance');
      expect(ground.asked.has('council.my.salesforce.com')).toBe(true);
      expect(ground.canary.connections).toBe(0);
    });

    it('would take the provider’s own name if the policy let it', async () => {
      expect(await signIn('https://council.my.salesforce.com', ground.outbound(allowEverywhere))).toBe('connected');
    });
  });
});

it('has every line of the product from which a call goes out on its list', () => {
  const found: Record<string, number> = {};
  for (const file of [...sourcesIn(join(root, 'libs')), ...sourcesIn(join(root, 'apps'))]) {
    const lines = readFileSync(file, 'utf8').split('\n').filter((line) => callOfAWayOut.test(line)).length;
    if (lines > 0) found[relative(root, file)] = lines;
  }
  expect(found).toEqual(Object.fromEntries(Object.entries(callers).map(([file, [lines]]) => [file, lines])));
  expect([...new Set(Object.values(callers).flatMap(([, ways]) => ways))].sort()).toEqual([...Object.keys(waysOut), askingWhereAnAddressStands].sort());
});

function sourcesIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['node_modules', 'dist', 'testing'].includes(entry.name) ? [] : sourcesIn(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts') ? [path] : [];
  });
}
