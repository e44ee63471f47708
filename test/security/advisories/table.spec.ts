import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { treeRules } from '../../architecture/tree-rules.js';

const root = resolve(__dirname, '..', '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const idForm = /CVE-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}|SB\d{10}/g;

interface Row {
  readonly name: string;
  readonly ids: readonly string[];
  readonly specs: readonly string[];
  readonly rules: readonly string[];
}

function rowsOf(page: string): readonly Row[] {
  const cells = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| case ')).map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()));
  return cells.map(([name = '', , , proof = '']) => ({ name, ids: name.match(idForm) ?? [], specs: [...proof.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path = '']) => path), rules: [...proof.matchAll(/`([\w-]+)`/g)].map(([, rule = '']) => rule) }));
}

/** What of these rows does not hold; a function of the page, so that it can be shown to find something. */
function problemsOf(rows: readonly Row[], rules: ReadonlySet<string>, titlesOf: (spec: string) => string): readonly string[] {
  return rows.flatMap(({ name, ids, specs, rules: named }) => {
    const titles = specs.filter((spec) => existsSync(join(root, spec))).map(titlesOf).join('\n');
    return [
      ...(specs.length + named.length === 0 ? [`${name}: neither a test nor a rule`] : []),
      ...specs.filter((spec) => !existsSync(join(root, spec))).map((spec) => `${name}: ${spec} is not there`),
      ...named.filter((rule) => !rules.has(rule)).map((rule) => `${name}: no rule ${rule}`),
      ...(specs.length === 0 ? [] : (ids.length === 0 ? [name] : ids).filter((wanted) => !titles.includes(wanted)).map((wanted) => `${name}: no test is named after ${wanted}`)),
    ];
  });
}

/** The texts that tests and groups of tests are named by. */
function titlesIn(spec: string): string {
  return [...read(spec).matchAll(/\b(?:it|describe)(?:\.each\([\s\S]*?\]\))?\(\s*(['"`])((?:(?!\1).)*)\1/g)].map(([, , title = '']) => title).concat([...read(spec).matchAll(/^ {4}\['((?:Nest|Fastify|undici|Node) [^']*)'/gm)].map(([, title = '']) => title)).join('\n');
}

const boundaries = read('.dependency-cruiser.mjs');
const style = JSON.parse(read('.oxlintrc.json')) as { readonly rules: object; readonly overrides: readonly { readonly rules: object }[] };
const rules = new Set([...[...boundaries.matchAll(/name: '([\w-]+)'/g)].map(([, name = '']) => name), ...treeRules.map(({ name }) => name), ...[style.rules, ...style.overrides.map((override) => override.rules)].flatMap((each) => Object.keys(each))]);

describe('the list of advisories', () => {
  const rows = rowsOf(read('docs/advisories.md'));

  it('names, for each case, a test that is named after it or a rule that is there', () => {
    expect(rows).toHaveLength(21);
    expect(problemsOf(rows, rules, titlesIn)).toEqual([]);
  });

  it('has a row for each case that a test is named after', () => {
    const known = new Set(rows.flatMap(({ ids }) => ids));
    const tested = readdirSync(__dirname).filter((name) => name.endsWith('.spec.ts') && name !== 'table.spec.ts').flatMap((name) => titlesIn(`test/security/advisories/${name}`).match(idForm) ?? []);
    expect(tested.length).toBeGreaterThan(20);
    expect(tested.filter((id) => !known.has(id))).toEqual([]);
  });

  it('would show a row without proof, with a test or a rule that is gone, or with a test of another name', () => {
    const page = ['| A CVE-2020-1 | x | y | nothing |', '| B | x | y | [gone](../test/gone.spec.ts) |', '| C | x | y | `no-such-rule` |', '| D CVE-2020-2 | x | y | [table](../test/security/advisories/table.spec.ts) |'].join('\n');
    expect(problemsOf(rowsOf(page), rules, titlesIn)).toEqual(['A CVE-2020-1: neither a test nor a rule', 'B: test/gone.spec.ts is not there', 'B: no test is named after B', 'C: no rule no-such-rule', 'D CVE-2020-2: no test is named after CVE-2020-2']);
  });
});
