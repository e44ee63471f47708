// Runs jest as the configuration needs it: `node tools/jest.mjs libs/chain` · `node tools/jest.mjs test/e2e -t 'kill'`
import { spawnSync } from 'node:child_process';
import { dirname, join, relative, resolve } from 'node:path';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const wanted = process.argv.slice(2).map((argument) => (existsSync(resolve(argument)) && !argument.startsWith('-') ? relative(root, resolve(argument)) || '.' : argument));
const { status, signal } = spawnSync(
  process.execPath,
  ['--experimental-vm-modules', '--no-warnings', join(root, 'node_modules/jest/bin/jest.js'), '-c', join(root, 'jest.config.mjs'), ...wanted],
  { cwd: root, stdio: 'inherit' },
);
process.exit(signal ? 1 : (status ?? 1));
