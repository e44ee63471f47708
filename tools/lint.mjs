// Style, boundaries and the tree: `npm run lint`. Ends with 1 when anything is wrong.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkTree } from '../test/architecture/tree-rules.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const fixtures = 'test/architecture/fixtures';
const require = createRequire(import.meta.url);

const results = [
  run('style', programOf('oxlint', 'oxlint'), ['apps', 'libs', 'test', 'tools', '--quiet', '--format=unix', '--ignore-pattern', `${fixtures}/**`]),
  run('boundaries', programOf('dependency-cruiser', 'depcruise'), ['--config', '.dependency-cruiser.mjs', '--output-type', 'err-long', '--exclude', `^${fixtures}|(?:^|/)dist/`, 'apps', 'libs', 'test']),
  tree(),
];
process.exitCode = results.every(Boolean) ? 0 : 1;

function run(name, program, words) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return tell(name, status === 0, `${stdout}${stderr}`);
}

function tree() {
  const problems = checkTree(root, [fixtures, 'test/architecture/tree-rules.ts']);
  return tell('tree', problems.length === 0, problems.map(({ rule, at, says }) => `  ${at}  ${rule}: ${says}\n`).join(''));
}

function tell(name, passed, details) {
  if (!passed) process.stdout.write(details);
  process.stdout.write(`${passed ? '✓' : '✗'} ${name}\n`);
  return passed;
}

/** By its package's own `bin`, so that it runs on this Node and not on one found by a shell. */
function programOf(packageName, command) {
  const manifest = join(root, 'node_modules', packageName, 'package.json');
  const { bin } = require(manifest);
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[command]);
}
