import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { topics } from '@trunkline/contracts';
import { parse } from 'yaml';
import { asyncApiYaml, openApiJson } from './documents.js';

const committed = (name: string): string => readFileSync(join(__dirname, '../../../../docs', name), 'utf8');
const howTo = 'run `node tools/generate-docs.mjs`';

describe('the generated documents', () => {
  it('docs/asyncapi.yaml is what the registry and the contracts say today', () => {
    expect({ howTo, isCurrent: committed('asyncapi.yaml') === asyncApiYaml() }).toEqual({ howTo, isCurrent: true });
  });

  it('docs/openapi.json is what the controllers say today', async () => {
    expect({ howTo, isCurrent: committed('openapi.json') === (await openApiJson()) }).toEqual({ howTo, isCurrent: true });
  });

  it('AsyncAPI names every topic, and every reference leads somewhere', () => {
    const document = parse(asyncApiYaml()) as { channels: Record<string, unknown> };
    expect(Object.keys(document.channels).sort()).toEqual(topics.map(({ name }) => name).sort());
    expect(referencesOf(document).filter((reference) => targetOf(document, reference) === undefined)).toEqual([]);
  });

  it('every operation of OpenAPI asks for the key and has a summary, and every reference leads somewhere', async () => {
    const document = JSON.parse(await openApiJson()) as { paths: Record<string, Record<string, { summary?: string; security?: unknown }>> };
    const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ where: `${method} ${path}`, ...operation })));
    expect(operations.filter(({ summary, security }) => !summary || security === undefined).map(({ where }) => where)).toEqual([]);
    expect(referencesOf(document).filter((reference) => targetOf(document, reference) === undefined)).toEqual([]);
  });
});

function referencesOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === '$ref' && typeof inner === 'string' ? [inner] : referencesOf(inner)));
}

function targetOf(document: unknown, reference: string): unknown {
  return reference.slice(2).split('/').reduce<unknown>((value, name) => (typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined), document);
}
