// `npm test`: everything that must pass, against real PostgreSQL and real Kafka. `npm test -- libs/chain` runs only the specs named.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installWhatIsMissing, pinnedNode, root } from './install.mjs';

installWhatIsMissing();
if (process.execPath !== pinnedNode && process.versions.node !== spawnSync(pinnedNode, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout.trim()) {
  const { status } = spawnSync(pinnedNode, [join(root, 'tools', 'test.mjs'), ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(status ?? 1);
}

const only = process.argv.slice(2);
const room = mkdtempSync(join(tmpdir(), 'trunkline-test-'));
chmodSync(room, 0o755);
const cleanups = [];
const checks = [];

try {
  runCheck('build', [join(root, 'tools', 'build.mjs'), '--all']);
  if (only.length === 0) {
    runCheck('typecheck', [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', join(root, 'tsconfig.json')]);
    runCheck('lint and boundaries', [join(root, 'tools', 'lint.mjs')]);
    if (process.env.CI) runCheck('advisories', [join(root, 'tools', 'advisories.mjs')]);
  }
  const services = await startServices();
  const report = await runJest(services);
  finish(report, services.kafkaSkipped);
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
  rmSync(room, { recursive: true, force: true });
}

function runCheck(name, words) {
  const started = Date.now();
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  checks.push({ name, passed: status === 0 });
  process.stdout.write(`${status === 0 ? '✓' : '✗'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
}

/** One database server and one broker for the whole run; suites make databases and topics of their own, crash suites start their own servers. */
async function startServices() {
  const { startPostgres, resolveBroker } = await import('../libs/local-services/dist/index.js');
  const server = await startPostgres({ dataDir: join(room, 'pg'), settings: ['max_connections=300'], onProgress: say });
  cleanups.push(() => server.stop());
  const broker = await resolveBroker(say);
  if (broker.source === 'none') return { databaseServer: server.url, brokers: null, kafkaSkipped: broker.reason };
  cleanups.push(() => broker.stop());
  return { databaseServer: server.url, brokers: broker.brokers.join(','), kafkaSkipped: null };
}

async function runJest({ databaseServer, brokers }) {
  const reportFile = join(room, 'jest.json');
  const environment = { ...process.env, TEST_DATABASE_SERVER: databaseServer, ...(process.stderr.isTTY && !process.env.CI ? {} : { NO_COLOR: '1', FORCE_COLOR: '0' }) };
  if (brokers) environment.KAFKA_BROKERS = brokers;
  const words = ['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js'), '-c', join(root, 'jest.config.mjs'), '--maxWorkers=2', '--json', `--outputFile=${reportFile}`, ...(process.env.CI ? ['--ci'] : []), ...only];
  const child = spawn(process.execPath, words, { cwd: root, env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
  process.on('SIGINT', () => child.kill('SIGINT'));
  await new Promise((done) => child.on('exit', done));
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numRuntimeErrorTestSuites: 0, testResults: [] };
  }
}

function finish(report, kafkaSkipped) {
  const inCi = Boolean(process.env.CI);
  const failedChecks = checks.filter((check) => !check.passed);
  const skipped = report.numPendingTests + report.numTodoTests;
  // In CI a skipped test is a failed one: what was not run was not shown to work.
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites + failedChecks.length + (inCi ? skipped : 0);
  const passed = report.numPassedTests + checks.length - failedChecks.length;
  const slowest = [...report.testResults].map((suite) => ({ name: suite.name.slice(root.length + 1), seconds: (suite.endTime - suite.startTime) / 1000 })).sort((a, b) => b.seconds - a.seconds).slice(0, 8);
  process.stdout.write(`\nSlowest suites: ${slowest.map((suite) => `${suite.name} ${suite.seconds.toFixed(0)} s`).join(' · ')}\n`);
  for (const check of failedChecks) process.stdout.write(`✗ ${check.name}\n`);
  if (kafkaSkipped) process.stdout.write(`KAFKA SUITES WERE SKIPPED: ${kafkaSkipped}\n`);
  if (skipped > 0) process.stdout.write(`${skipped} tests were skipped${inCi ? ', which counts as failed here' : ''}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

function say(line) {
  process.stderr.write(`${line}\n`);
}
