// `npm run test:chaos`: 20,000 events with 60 kills on Kafka, then every seeded fault and its control. `CHAOS_SEED=7 npm run test:chaos` repeats a schedule.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installWhatIsMissing, pinnedNode, root } from './install.mjs';

installWhatIsMissing();
const seed = process.env.CHAOS_SEED ?? String(Date.now() % 1_000_000);

function run(name, words, environment = {}) {
  const started = Date.now();
  const { status } = spawnSync(pinnedNode, words, { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } });
  process.stdout.write(`${status === 0 ? '✓' : '✗'} ${name} (${((Date.now() - started) / 1000).toFixed(0)} s)\n`);
  return status === 0;
}

mkdirSync(join(root, '.cache'), { recursive: true });
const isBuilt = run('build', [join(root, 'tools', 'build.mjs'), '--all']);
const isKept = isBuilt && run(`20,000 events, 60 kills, seed ${seed}`, [join(root, 'apps', 'trunkline', 'bin', 'trunkline.mjs'), 'chaos', '--events', '20000', '--rate', '40', '--kills', '62', '--seed', seed, '--drain-minutes', '15', '--json', join(root, '.cache', 'chaos.json')]);
const { killsCounted, limits } = isKept ? JSON.parse(readFileSync(join(root, '.cache', 'chaos.json'), 'utf8')) : { killsCounted: 0, limits: [] };
const isTested = limits.some((limit) => limit.isTested);
const chaos = isKept && killsCounted >= 60 && isTested;
if (isKept && killsCounted < 60) process.stdout.write(`✗ only ${killsCounted} kills fell on 50 runs in flight; 60 are wanted\n`);
if (isKept && !isTested) process.stdout.write('✗ no limit of calls was nearly reached: I7 was not put to the test\n');
const faults = isBuilt && run('seeded faults', ['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js'), '-c', join(root, 'jest.config.mjs'), 'test/chaos/seeded-faults'], { CHAOS: 'complete' });
process.exitCode = isBuilt && chaos && faults ? 0 : 1;
