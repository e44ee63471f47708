// `npm start` and `npm run wipe`: installs what is missing, builds what has changed, then hands over to the command line on the pinned Node.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installWhatIsMissing, pinnedNode, root, stop } from './install.mjs';

installWhatIsMissing();
const built = spawnSync(pinnedNode, [join(root, 'tools', 'build.mjs'), '--all'], { cwd: root, stdio: ['ignore', 2, 2] });
if (built.status !== 0) stop('The build failed; the lines above say where.');

const [first, ...rest] = process.argv.slice(2);
const words = first === 'wipe' ? ['wipe', ...rest] : ['dev', ...process.argv.slice(2)];
const child = spawn(pinnedNode, [join(root, 'apps', 'trunkline', 'bin', 'trunkline.mjs'), ...words], { stdio: 'inherit' });
// Ctrl-C reaches the child by itself; a signal sent to us alone is passed on. Either way the child decides when it is done.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => stop(`Could not start: ${error.message}`));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
