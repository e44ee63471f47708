import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KAFKA_VERSION, RECIPE } from './artifacts.js';

/** `KAFKA_LOCAL_CACHE`, else `.cache/kafka/<version>` of the project (not in node_modules: a clean install wipes that). */
export function kafkaCacheFolder(): string {
  const chosen = process.env['KAFKA_LOCAL_CACHE'];
  if (chosen) return resolve(chosen);
  return join(projectFolder(dirname(fileURLToPath(import.meta.url))), '.cache', 'kafka', KAFKA_VERSION);
}

/** `ready` is written last, so a preparation that was killed is never taken for a finished one. */
export function isPrepared(cacheFolder: string): boolean {
  const marker = join(cacheFolder, 'ready');
  return existsSync(marker) && readFileSync(marker, 'utf8').trim() === RECIPE;
}

function projectFolder(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'nx.json'))) return folder;
    if (dirname(folder) === folder) return process.cwd();
  }
}
