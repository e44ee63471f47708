// What every entry point needs before the pinned Node can run: Node 20.19 of the system, the lock file's packages. Uses nothing but Node itself.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const pinnedNode = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** Installs the packages when they are missing or older than the lock file. Ends the process with a way out when that fails. */
export function installWhatIsMissing() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) stop(`Node ${process.versions.node} is too old to install with: Trunkline needs Node 20.19 or newer (it then runs on the Node it brings along).`);
  if (isInstalled()) return;
  process.stderr.write('Installing packages (once; about a minute) …\n');
  const started = Date.now();
  const { status, error } = spawnSync('npm', ['ci'], { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (error || status !== 0 || !isInstalled()) stop(`npm ci failed${error ? `: ${error.message}` : ''}. The first start needs the npm registry; check the network or proxy, then run the same command again.`);
  process.stderr.write(`Installed in ${Math.round((Date.now() - started) / 1000)} s.\n`);
}

/** npm writes its own copy of the lock file last, so an installation that was cut off does not count. */
function isInstalled() {
  const written = join(root, 'node_modules', '.package-lock.json');
  return existsSync(written) && existsSync(pinnedNode) && statSync(written).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

export function stop(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
