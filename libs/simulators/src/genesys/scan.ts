import type { Call, Reply } from '../kit/call.js';
import type { StoredRecord } from '../kit/journal-entry.js';
import type { World } from '../kit/provider.js';
import { refuse } from './shapes.js';

const cursorLifeMs = 24 * 3_600_000;

/** Full scan with an opaque cursor that lives 24 hours; no filter, no sort (client documentation, 262.0.0). */
export function scan(call: Call, world: World, recordType: string): Reply {
  const limit = call.wholeNumber('limit', 100);
  if (!(limit >= 10 && limit <= 200)) throw refuse(call, 400, 'invalid.value', 'Value [limit] must be between 10 and 200.');
  const from = positionOf(call);
  const page: StoredRecord[] = [];
  let position = 0;
  for (const record of world.store.all(recordType)) {
    if (position >= from && page.length <= limit) page.push(record);
    position += 1;
  }
  const hasMore = page.length > limit;
  const after = hasMore ? Buffer.from(`${from + limit}:${call.at}`).toString('base64url') : undefined;
  const selfUri = call.pathAndQuery;
  return {
    status: 200,
    body: { entities: page.slice(0, limit), selfUri, cursors: { before: null, after: after ?? null }, ...(after === undefined ? {} : { nextUri: `${call.path}?limit=${limit}&cursor=${after}` }) },
  };
}

function positionOf(call: Call): number {
  const cursor = call.query.get('cursor');
  if (cursor === null || cursor === '') return 0;
  const [, position, issuedAt] = /^(\d+):(\d+)$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (position === undefined || call.at - Number(issuedAt) > cursorLifeMs) throw refuse(call, 400, 'invalid.value', 'The cursor is invalid or has expired.');
  return Number(position);
}
