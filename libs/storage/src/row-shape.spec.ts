import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rowShapes } from './testing/catalogue.js';
import { openTestDatabase } from './testing/index.js';

const goldenFile = join(dirname(fileURLToPath(import.meta.url)), 'row-shapes.golden.json');

/** To accept a new shape: `UPDATE_GOLDEN=1 npm run jest -- libs/storage/src/row-shape`, and read the difference. */
it('keeps every table in the shape that was agreed', async () => {
  const database = await openTestDatabase();
  try {
    const shapes = await rowShapes(await database.owner());
    if (process.env['UPDATE_GOLDEN']) writeFileSync(goldenFile, `${JSON.stringify(shapes, null, 2)}\n`);
    expect(shapes).toEqual(JSON.parse(readFileSync(goldenFile, 'utf8')));
  } finally {
    await database.close();
  }
}, 60_000);
