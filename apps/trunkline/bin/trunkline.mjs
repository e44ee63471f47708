#!/usr/bin/env node
// Called by its path, this runs on whatever Node the shell finds; the platform needs the one that comes with the packages.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const pinnedNode = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url));
if (Number(process.versions.node.split('.')[0]) >= 24) await import('../dist/main.js');
else if (existsSync(pinnedNode)) process.exitCode = spawnSync(pinnedNode, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1;
else {
  process.stderr.write(`Trunkline needs Node 24, this is ${process.versions.node}.\n→ Run \`npm ci\` in the project: it brings the right one.\n`);
  process.exitCode = 2;
}
