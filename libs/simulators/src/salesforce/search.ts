import type { Call, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';
import { objectNamed, salesforceObjects } from './objects.js';
import type { SalesforceObject } from './objects.js';
import { dataRoot, knownField, versionOf, withAttributes } from './records.js';
import { refuse } from './shapes.js';

/** SOSL as far as `FIND {words} [IN … FIELDS] [RETURNING Object(fields), …]`. */
export const searchRoutes: readonly Route[] = [{ operation: 'search', method: 'GET', path: `${dataRoot}/search`, handle: search }];

function search(call: Call, world: World): Reply {
  versionOf(call);
  const [, words, returning] = /^\s*find\s*\{([^}]*)\}(?:\s+in\s+\w+\s+fields)?(?:\s+returning\s+(.+))?\s*$/i.exec(call.query.get('q') ?? '') ?? [];
  if (words === undefined || words.trim() === '') throw refuse(400, 'MALFORMED_SEARCH', 'No search term found. The search term must be enclosed in braces.');
  const wanted = words.replaceAll(/[*?"]/g, '').trim().toLowerCase();
  const searchRecords = targets(returning).flatMap(({ object, fields }) =>
    [...world.store.all(object.name)]
      .filter((record) => record['IsDeleted'] !== true && Object.values(record).some((value) => typeof value === 'string' && value.toLowerCase().includes(wanted)))
      .slice(0, 2_000)
      .map((record) => withAttributes(call, object, record, fields)),
  );
  return { status: 200, body: { searchRecords } };
}

function targets(returning: string | undefined): readonly { readonly object: SalesforceObject; readonly fields: readonly string[] }[] {
  if (returning === undefined) return salesforceObjects.map((object) => ({ object, fields: ['Id'] }));
  return [...returning.matchAll(/(\w+)\s*(?:\(([^)]*)\))?/g)].map(([, name = '', fields]) => {
    const object = objectNamed(name);
    if (object === undefined) throw refuse(400, 'INVALID_TYPE', `sObject type '${name}' is not supported.`);
    return { object, fields: fields === undefined ? ['Id'] : fields.split(',').map((field) => knownField(object, field.trim())) };
  });
}
