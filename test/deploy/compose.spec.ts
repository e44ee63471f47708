import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { gatewaySchema } from '@trunkline/app-gateway';
import { syncLedgerSchema } from '@trunkline/app-sync-ledger';
import { type ConfigSchema, readConfig } from '@trunkline/service';
import { parseMasterKeys } from '@trunkline/vault';
import { connectorSchema } from '@trunkline/worker';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { mainOf } from '../support/service-process.js';

const root = resolve(__dirname, '..', '..');
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

interface Service {
  readonly image?: string;
  readonly build?: { readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly user?: string;
}

const compose = parse(text, { merge: true }) as { readonly services: Readonly<Record<string, Service>>; readonly volumes: Readonly<Record<string, unknown>> };
const apps = { gateway: gatewaySchema, 'sync-ledger': syncLedgerSchema, 'connector-contact-centre': connectorSchema, 'connector-crm': connectorSchema, 'connector-erp': connectorSchema } as const satisfies Record<string, ConfigSchema>;
const opensCredentials = ['gateway', 'connector-contact-centre', 'connector-crm', 'connector-erp'];
const filledIn = { POSTGRES_PASSWORD: 'abc123', TRUNKLINE_MASTER_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}` };

describe('docker-compose.yml', () => {
  it('fits the Compose JSON Schema', () => {
    const schema = JSON.parse(readFileSync(require.resolve('docker-compose/schema/compose-spec.json'), 'utf8')) as object;
    const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile({ ...schema, $schema: 'http://json-schema.org/draft-07/schema#' });
    expect({ isValid: validate(compose), errors: validate.errors }).toEqual({ isValid: true, errors: null });
    expect(validate({ services: { gateway: { comand: ['x'] } } })).toBe(false);
  });

  it('runs every app by the command the end-to-end test starts it with', () => {
    for (const app of Object.keys(apps)) {
      expect(compose.services[app]?.command).toEqual(['node', relative(root, mainOf(app))]);
      expect(existsSync(join(root, 'apps', app, 'src/main.ts'))).toBe(true);
    }
    expect(existsSync(join(root, compose.services['migrate']?.command?.[1] ?? ''))).toBe(true);
  });

  it.each(Object.entries(apps))('gives %s every variable it needs, each of which it reads', (app, schema: ConfigSchema) => {
    const environment = interpolated(compose.services[app]?.environment ?? {}, filledIn);
    expect(() => readConfig(schema, environment)).not.toThrow();
    const known = [...Object.values(schema).map(({ variable }) => variable), ...(opensCredentials.includes(app) ? ['TRUNKLINE_MASTER_KEYS'] : [])];
    expect(Object.keys(environment).filter((name) => !known.includes(name))).toEqual([]);
    if (opensCredentials.includes(app)) expect(parseMasterKeys(environment['TRUNKLINE_MASTER_KEYS'] ?? '').current).toBe('k1');
    // Nothing in a container is reached over its own loopback address.
    expect(environment['OPS_HOST']).toBe('0.0.0.0');
    expect(compose.services[app]?.healthcheck?.test?.join(' ')).toContain(`:${environment['OPS_PORT']}/readyz`);
  });

  it('has no secret with a default: compose refuses to start without them', () => {
    const references = [...text.matchAll(/\$\{(\w+)(:?[-?][^}]*)?\}/g)].map(([, name = '', rest = '']) => ({ name, rest }));
    const secrets = references.filter(({ name }) => /PASSWORD|KEY|SECRET|TOKEN/.test(name));
    expect(new Set(secrets.map(({ name }) => name))).toEqual(new Set(Object.keys(filledIn)));
    expect(secrets.filter(({ rest }) => !rest.startsWith(':?'))).toEqual([]);
    const environments = Object.values(compose.services).flatMap((service) => Object.entries(service.environment ?? {}));
    expect(environments.filter(([name, value]) => /PASSWORD|SECRET|MASTER_KEYS/.test(name) && !String(value).startsWith('${'))).toEqual([]);
    const example = readFileSync(join(root, '.env.example'), 'utf8');
    expect(new Set([...example.matchAll(/^(\w+)=/gm)].map(([, name]) => name))).toEqual(new Set(references.map(({ name }) => name)));
    for (const name of Object.keys(filledIn)) expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
  });

  it('watches the health of everything that stays up, keeps data in named volumes, opens one port to this machine only', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      if (name !== 'migrate') expect([name, Array.isArray(service.healthcheck?.test)]).toEqual([name, true]);
      for (const volume of service.volumes ?? []) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
      for (const needed of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services)).toContain(needed);
    }
    expect(Object.values(compose.services).flatMap((service) => service.ports ?? [])).toEqual(['127.0.0.1:${GATEWAY_PORT:-3000}:3000']);
    expect([compose.services['postgres']?.volumes?.length, compose.services['kafka']?.volumes?.length]).toEqual([1, 1]);
  });

  it('builds one image, in stages, that runs as nobody special', () => {
    const dockerfile = readFileSync(join(root, compose.services['gateway']?.build?.dockerfile ?? ''), 'utf8');
    const stages = dockerfile.split(/^FROM /m).slice(1);
    expect(stages.length).toBeGreaterThan(1);
    expect(stages.at(-1)).toMatch(/^USER (?!root)\w+$/m);
    expect(dockerfile).not.toMatch(/^(ENV|ARG) .*(PASSWORD|SECRET|KEY)/m);
    const pinned = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }).dependencies['node'];
    expect(dockerfile).toContain(`NODE_VERSION=${pinned}`);
  });
});

it('ships every package that the services import: the image has no development dependencies', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly dependencies: Record<string, string>; readonly devDependencies: Record<string, string> };
  const imported = new Set(sourcesOf([...Object.keys(apps).map((app) => join(root, 'apps', app, 'src')), ...readdirSync(join(root, 'libs')).map((lib) => join(root, 'libs', lib, 'src')).filter((folder) => !/libs\/(local-services|simulators)\//.test(folder))]).flatMap(packagesIn));
  expect(imported.size).toBeGreaterThan(10);
  expect([...imported].filter((name) => !Object.hasOwn(manifest.dependencies, name) && !name.startsWith('@trunkline/'))).toEqual([]);
});

function sourcesOf(folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) => readdirSync(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name) && !/\.(spec|d)\.ts$/.test(entry.name) && !/\/testing(\/|$)/.test(entry.parentPath))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}

/** Names of the packages a source imports for its values; types are gone by then. */
function packagesIn(source: string): readonly string[] {
  return [...source.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^'.][^']*)'/gm)].map(([, from = '']) => from).filter((from) => !from.startsWith('node:')).map((from) => from.split('/').slice(0, from.startsWith('@') ? 2 : 1).join('/'));
}

/** As compose does it: `${NAME:?why}` and `${NAME:-default}`. */
function interpolated(environment: Readonly<Record<string, string | number>>, given: Readonly<Record<string, string>>): Record<string, string> {
  const fill = (value: string): string =>
    value.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_all, name: string, kind: string | undefined, rest: string | undefined) => {
      const found = given[name] ?? (kind === '-' ? rest : undefined);
      if (found === undefined) throw new Error(`${name} is not given`);
      return found;
    });
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(String(value))]));
}
