// Writes docs/asyncapi.yaml and docs/openapi.json from the code. `--check` writes nothing and fails when they are stale.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = spawnSync(process.execPath, [join(root, 'tools/build.mjs'), '--all'], { cwd: root, stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);

const { asyncApiYaml, openApiJson } = await import(pathToFileURL(join(root, 'apps/gateway/dist/index.js')).href);
const documents = { 'docs/asyncapi.yaml': asyncApiYaml(), 'docs/openapi.json': await openApiJson() };

const stale = Object.entries(documents).filter(([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text);
if (process.argv.includes('--check')) {
  if (stale.length > 0) process.stderr.write(`stale: ${stale.map(([path]) => path).join(', ')}; run node tools/generate-docs.mjs\n`);
  process.exit(stale.length > 0 ? 1 : 0);
}
mkdirSync(join(root, 'docs'), { recursive: true });
for (const [path, text] of stale) writeFileSync(join(root, path), text);
process.stderr.write(stale.length === 0 ? 'documents are up to date\n' : `wrote ${stale.map(([path]) => path).join(', ')}\n`);
