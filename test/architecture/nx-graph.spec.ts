import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Graph {
  readonly nodes: Readonly<Record<string, { readonly data: { readonly root: string; readonly targets: Readonly<Record<string, unknown>> } }>>;
  readonly dependencies: Readonly<Record<string, readonly { readonly target: string }[]>>;
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

describe('the project graph of Nx', () => {
  let graph: Graph;

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'nx-graph-'));
    const file = join(folder, 'graph.json');
    const { status, stderr, stdout } = spawnSync(process.execPath, [join(root, 'node_modules/nx/dist/bin/nx.js'), 'graph', `--file=${file}`], { cwd: root, encoding: 'utf8', env: { ...process.env, NX_DAEMON: 'false', NODE_OPTIONS: '' } });
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
    graph = (JSON.parse(readFileSync(file, 'utf8')) as { graph: Graph }).graph;
    rmSync(folder, { recursive: true });
  }, 60_000);

  it('has every app and lib, each of which can be built and tested', () => {
    const folders = ['apps', 'libs'].flatMap((kind) => readdirSync(join(root, kind), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => `${kind}/${entry.name}`));
    const projects = Object.values(graph.nodes).map(({ data }) => data);
    expect(projects.map((project) => project.root).sort()).toEqual(folders.sort());
    for (const target of ['build', 'test']) expect(projects.filter(({ targets }) => !(target in targets)).map((project) => project.root)).toEqual([]);
  });

  it('knows from the imports who needs whom', () => {
    const of = (name: string) => graph.dependencies[name]?.map(({ target }) => target);
    expect(of('@trunkline/contracts')).toEqual(['@trunkline/chain']);
    expect(of('@trunkline/identity')).toEqual(expect.arrayContaining(['@trunkline/contracts', '@trunkline/storage']));
    expect(of('@trunkline/chain')).toEqual([]);
  });

  it('has no circle, or nothing could be built in order', () => {
    const settled = new Set<string>();
    let before = -1;
    while (settled.size > before) {
      before = settled.size;
      for (const [name, dependencies] of Object.entries(graph.dependencies)) if (dependencies.every(({ target }) => settled.has(target) || !(target in graph.nodes))) settled.add(name);
    }
    expect(Object.keys(graph.nodes).filter((name) => !settled.has(name))).toEqual([]);
  });
});
