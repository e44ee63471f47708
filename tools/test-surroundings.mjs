// `npm run test:surroundings`: every fault of the surroundings for a minute, and those that need tools of the system; half an hour of memory at the end.
// `npm run test:surroundings -- disk-full soak` runs only those named. SURROUNDINGS_SECONDS and SOAK_MINUTES change how long.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installWhatIsMissing, pinnedNode, root } from './install.mjs';

installWhatIsMissing();
const seconds = process.env.SURROUNDINGS_SECONDS ?? '60';
const room = mkdtempSync(join(tmpdir(), 'trunkline-surroundings-'));
const libfaketime = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1', process.env.LIBFAKETIME ?? ''].find((path) => path !== '' && existsSync(path));

const needs = {
  linux: () => (process.platform === 'linux' ? null : 'needs Linux (/proc)'),
  java: () => (runs('java', ['-version']) ? null : 'needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)'),
  mount: () => (process.getuid?.() === 0 && runs('sh', ['-c', `mount -t tmpfs -o size=1m tmpfs '${room}' && umount '${room}'`]) ? null : 'needs to mount a tmpfs: run as root, with CAP_SYS_ADMIN in a container'),
  strace: () => (runs('strace', ['-e', 'trace=none', 'true']) ? null : 'needs strace and the right to trace (Debian: apt-get install strace; CAP_SYS_PTRACE in a container)'),
  faketime: () => (libfaketime === undefined ? 'needs libfaketime (Debian: apt-get install faketime; elsewhere: LIBFAKETIME=path of libfaketime.so.1)' : null),
};

const faults = [
  { name: 'ambiguous-commit', file: 'test/surroundings/ambiguous-commit.spec.ts', needs: [] },
  { name: 'services-away', file: 'test/surroundings/services-away.spec.ts', needs: ['linux', 'java'] },
  { name: 'provider-answers', file: 'test/surroundings/provider-answers.spec.ts', needs: ['linux'] },
  { name: 'sigterm', file: 'test/surroundings/sigterm.spec.ts', needs: [] },
  { name: 'poison', file: 'test/surroundings/poison.spec.ts', needs: [] },
  { name: 'hanging-provider', file: 'test/e2e/p07-nobody-waits-for-a-stranger.spec.ts', needs: [] },
  { name: 'bad-input', file: 'test/bad-input', needs: [] },
  { name: 'disk-full', file: 'test/surroundings/minutes/disk-full.ts', needs: ['linux', 'mount'] },
  { name: 'fsync-error', file: 'test/surroundings/minutes/fsync-error.ts', needs: ['linux', 'strace'] },
  { name: 'clock-off', file: 'test/surroundings/minutes/clock-off.ts', needs: ['linux', 'faketime'] },
  { name: 'soak', file: 'test/surroundings/minutes/soak.ts', needs: ['linux'] },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !faults.some((fault) => fault.name === name));
if (unknown.length > 0) {
  process.stderr.write(`No such fault: ${unknown.join(', ')}. There are: ${faults.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const rows = [];
try {
  const built = spawnSync(pinnedNode, [join(root, 'tools', 'build.mjs'), '--all'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (built.status !== 0) process.exit(1);
  for (const fault of faults.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const missing = fault.needs.map((need) => needs[need]()).filter((why) => why !== null);
    rows.push(missing.length > 0 ? { fault, result: 'skipped', took: 0, lines: missing } : await run(fault));
  }
} finally {
  rmSync(room, { recursive: true, force: true });
}
tell();

async function run(fault) {
  const figures = join(room, `${fault.name}.ndjson`);
  process.stderr.write(`\n── ${fault.name}\n`);
  const began = Date.now();
  const words = ['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js'), '-c', join(root, 'jest.config.mjs'), '--runInBand', '--forceExit', '--testMatch', `${root}/${fault.file}${fault.file.endsWith('.ts') ? '' : '/**/*.spec.ts'}`];
  const child = spawn(pinnedNode, words, { cwd: root, env: { ...process.env, SURROUNDINGS_SECONDS: seconds, SURROUNDINGS_FIGURES: figures, ...(libfaketime === undefined ? {} : { LIBFAKETIME: libfaketime }) }, stdio: ['ignore', 'inherit', 'inherit'] });
  const status = await new Promise((done) => child.on('exit', done));
  const lines = existsSync(figures) ? readFileSync(figures, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)).map(({ what, figure }) => `${what}: ${figure}`) : [];
  return { fault, result: status === 0 ? 'passed' : 'FAILED', took: Math.round((Date.now() - began) / 1000), lines };
}

function tell() {
  process.stdout.write(`\nFaults of the surroundings, ${new Date().toISOString().slice(0, 10)}, each for ${seconds} s\n`);
  for (const { fault, result, took, lines } of rows) {
    process.stdout.write(`${fault.name.padEnd(18)} ${result.padEnd(8)} ${String(took).padStart(5)} s  ${lines[0] ?? ''}\n`);
    for (const line of lines.slice(1)) process.stdout.write(`${' '.repeat(36)}${line}\n`);
  }
  process.exitCode = rows.some(({ result }) => result === 'FAILED') ? 1 : 0;
}

function runs(program, words) {
  return spawnSync(program, words, { stdio: 'ignore' }).status === 0;
}
