import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkTree, treeRules } from './tree-rules.js';

/** Each rule has a folder that breaks it: a rule that binds nothing is worse than none, because the next reader believes it. */
const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

interface Found {
  readonly folder: string;
  readonly rule: string;
}

const foldersOf = (kind: string): readonly string[] => readdirSync(join(here, 'fixtures', kind)).sort();
const rulesIn = (found: readonly Found[], folder: string): readonly string[] => [...new Set(found.filter((each) => each.folder === folder).map(({ rule }) => rule))];

describe('boundaries', () => {
  const folders = foldersOf('boundaries');
  let found: readonly Found[];
  let rules: readonly string[];

  beforeAll(() => {
    const report = JSON.parse(run('dependency-cruiser/bin/dependency-cruiser.mjs', ['--config', '.dependency-cruiser.mjs', '--output-type', 'json', 'test/architecture/fixtures/boundaries'])) as {
      summary: { violations: { from: string; rule: { name: string } }[]; ruleSetUsed: { forbidden: { name: string }[] } };
    };
    found = report.summary.violations.map(({ from, rule }) => ({ folder: folderIn('boundaries', from), rule: rule.name }));
    rules = report.summary.ruleSetUsed.forbidden.map(({ name }) => name).sort();
  }, 60_000);

  it('each have a fixture', () => expect(folders).toEqual([...rules, 'allowed'].sort()));
  it.each(folders.filter((folder) => folder !== 'allowed'))('%s bites', (folder) => expect(rulesIn(found, folder)).toContain(folder));
  it('let pass what is allowed', () => expect(rulesIn(found, 'allowed')).toEqual([]));
});

describe('style', () => {
  const folders = foldersOf('style');
  let found: readonly Found[];

  beforeAll(() => {
    const report = JSON.parse(run('oxlint/bin/oxlint', ['--format=json', 'test/architecture/fixtures/style'])) as { diagnostics: { filename: string; code: string; severity: string }[] };
    found = report.diagnostics.filter(({ severity }) => severity === 'error').map(({ filename, code }) => ({ folder: folderIn('style', filename), rule: code.replace(/^eslint\((.*)\)$/, '$1').replace(/^(\w+)\((.*)\)$/, '$1-$2') }));
  }, 60_000);

  it('has a fixture for each rule that is switched on by name', () => {
    const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as { rules: Record<string, unknown>; overrides: { rules: Record<string, unknown> }[] };
    const named = [config.rules, ...config.overrides.map(({ rules }) => rules)].flatMap((rules) => Object.entries(rules).filter(([, value]) => value !== 'off').map(([name]) => name.replace('/', '-')));
    expect(folders).toEqual([...new Set([...named, 'correctness', 'allowed'])].sort());
  });
  it.each(folders.filter((folder) => folder !== 'allowed' && folder !== 'correctness'))('%s bites', (folder) => expect(rulesIn(found, folder)).toEqual([folder]));
  it('finds what is surely a mistake', () => expect(rulesIn(found, 'correctness')).toEqual(expect.arrayContaining(['no-unused-vars', 'use-isnan'])));
  it('forbids the globals that open connections, and the way to them through the global object, in everything that runs for tenants', () => expect(found.filter(({ rule }) => rule === 'no-restricted-globals')).toHaveLength(13));
  it('lets pass what is allowed', () => expect(rulesIn(found, 'allowed')).toEqual([]));
});

describe('the tree', () => {
  const folders = foldersOf('tree');

  it('has a fixture for each rule', () => expect(folders).toEqual([...treeRules.map(({ name }) => name), 'readme', 'tenancy', 'no-dead-link', 'failpoint-place', 'failpoint-tested', 'allowed'].sort()));
  it.each(folders.filter((folder) => folder !== 'allowed'))('%s bites', (folder) => {
    const problems = checkTree(join(here, 'fixtures', 'tree', folder));
    expect([...new Set(problems.map(({ rule }) => rule))]).toEqual([folder]);
  });
  it('lets pass what is allowed', () => expect(checkTree(join(here, 'fixtures', 'tree', 'allowed'))).toEqual([]));
});

function folderIn(kind: string, path: string): string {
  return path.split(`fixtures/${kind}/`)[1]?.split('/')[0] ?? path;
}

function run(program: string, words: readonly string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, [join(root, 'node_modules', program), ...words], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (stdout === '') throw new Error(stderr);
  return stdout;
}
