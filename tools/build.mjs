// Compiles the TypeScript of one package (or of all, with --all) into its dist/, file by file, and only what has changed since.
// `node tools/build.mjs libs/chain` · `node tools/build.mjs --all`
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync, existsSync, copyFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformFileSync } from '@swc/core';
import { swcOptions } from './swc-options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const thisTool = statSync(fileURLToPath(new URL('./swc-options.mjs', import.meta.url))).mtimeMs;
const started = Date.now();

const folders = process.argv.includes('--all')
  ? ['libs', 'apps'].flatMap((kind) => readdirSync(join(root, kind)).map((name) => join(root, kind, name)))
  : process.argv.slice(2).map((folder) => resolve(folder));
const compiled = folders.map(buildPackage).reduce((sum, count) => sum + count, 0);
if (compiled > 0) process.stderr.write(`built ${compiled} files in ${Date.now() - started} ms\n`);

function buildPackage(folder) {
  const source = join(folder, 'src');
  const target = join(folder, 'dist');
  if (!existsSync(source)) return 0;
  const wanted = new Set();
  let count = 0;
  for (const file of filesBelow(source)) {
    const isScript = file.endsWith('.ts') && !file.endsWith('.d.ts');
    if (file.endsWith('.spec.ts') || (file.endsWith('.ts') && !isScript)) continue;
    const out = join(target, relative(source, file)).replace(/\.ts$/, '.js');
    wanted.add(out);
    if (isScript) wanted.add(`${out}.map`);
    if (isFresh(file, out)) continue;
    mkdirSync(dirname(out), { recursive: true });
    if (isScript) compile(file, out);
    else copyFileSync(file, out);
    count += 1;
  }
  if (existsSync(target)) for (const file of filesBelow(target)) if (!wanted.has(file)) rmSync(file);
  return count;
}

function compile(file, out) {
  const { code, map } = transformFileSync(file, { ...swcOptions('es6'), sourceMaps: true, sourceFileName: relative(dirname(out), file) });
  writeFileSync(out, `${code}\n//# sourceMappingURL=${out.split('/').pop()}.map\n`);
  if (map) writeFileSync(`${out}.map`, map);
}

function isFresh(file, out) {
  if (!existsSync(out)) return false;
  const builtAt = statSync(out).mtimeMs;
  return builtAt > statSync(file).mtimeMs && builtAt > thisTool;
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
