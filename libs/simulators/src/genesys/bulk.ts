import type { Call, JsonObject, Reply } from '../kit/call.js';
import { Refusal, isObject } from '../kit/call.js';
import { bodyOf, refuse } from './shapes.js';

export function entitiesOf(call: Call, limit = 50): readonly JsonObject[] {
  const { entities } = bodyOf(call);
  if (!Array.isArray(entities) || entities.length === 0 || !entities.every(isObject)) throw refuse(call, 400, 'bad.request', 'entities may not be empty');
  if (entities.length > limit) throw refuse(call, 400, 'constraint.validation', `At most ${limit} entities are allowed in one request.`);
  return entities;
}

/** Answers 200 also when items failed: each result says so itself. */
export function bulk(items: readonly JsonObject[], work: (item: JsonObject) => JsonObject | undefined, statusOf: (entity: JsonObject | undefined) => number = () => 200): Reply {
  const results = items.map((item) => {
    try {
      const entity = work(item);
      return { id: entity?.['id'] ?? item['id'], success: true, ...(entity === undefined ? {} : { entity }), status: statusOf(entity) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const body = isObject(error.reply.body) ? error.reply.body : {};
      const failure = { code: body['code'], message: body['message'], status: error.reply.status, retryable: error.reply.status >= 500, details: [], entity: item };
      return { id: item['id'], success: false, error: failure, status: error.reply.status };
    }
  });
  const errorIndexes = results.flatMap((result, index) => (result.success ? [] : [index]));
  return { status: 200, body: { results, errorCount: errorIndexes.length, errorIndexes } };
}
