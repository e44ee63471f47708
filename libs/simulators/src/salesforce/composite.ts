import { Refusal, isObject } from '../kit/call.js';
import type { Call, JsonObject, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';
import { Router } from '../kit/router.js';
import { dataRoot, versionOf } from './records.js';
import { bodyOf, errorReply, refuse } from './shapes.js';

const maxSubrequests = 25;

/** Several requests in one call, which counts as one. `inner` are the routes a subrequest may use. */
export function compositeRoutes(inner: readonly Route[]): readonly Route[] {
  const router = new Router<Route>();
  for (const route of inner) router.add(route.method, route.path, route);
  return [
    { operation: 'composite', method: 'POST', path: `${dataRoot}/composite`, handle: (call, world) => composite(call, world, router) },
    { operation: 'compositeBatch', method: 'POST', path: `${dataRoot}/composite/batch`, handle: (call, world) => batch(call, world, router) },
  ];
}

/** `@{reference.path}` takes from an earlier answer; with `allOrNone` one failure takes everything back. */
function composite(call: Call, world: World, router: Router<Route>): Reply {
  versionOf(call);
  const { compositeRequest, allOrNone } = bodyOf(call);
  const requests = subrequests(compositeRequest, 'compositeRequest');
  const answers = new Map<string, unknown>();
  const responses: JsonObject[] = [];
  const run = (): boolean => {
    for (const request of requests) {
      const { method, url, body } = request;
      const reply = perform(call, world, router, String(method), filled(String(url), answers), body === undefined ? undefined : filledIn(body, answers));
      answers.set(String(request['referenceId']), reply.body);
      responses.push({ body: reply.body ?? null, httpHeaders: reply.headers ?? {}, httpStatusCode: reply.status, referenceId: request['referenceId'] });
      if (reply.status >= 300 && allOrNone === true) return false;
    }
    return true;
  };
  if (allOrNone !== true) run();
  else if (!world.allOrNothing(run)) return { status: 200, body: { compositeResponse: halted(requests, responses) } };
  return { status: 200, body: { compositeResponse: responses } };
}

function halted(requests: readonly JsonObject[], responses: readonly JsonObject[]): readonly JsonObject[] {
  const stopped = errorReply(400, { errorCode: 'PROCESSING_HALTED', message: 'The transaction was rolled back since another operation in the same transaction failed.' });
  return requests.map((request, index) => {
    const own = responses[index];
    const isCulprit = own !== undefined && Number(own['httpStatusCode']) >= 300;
    return isCulprit ? own : { body: stopped.body, httpHeaders: {}, httpStatusCode: stopped.status, referenceId: request['referenceId'] };
  });
}

function batch(call: Call, world: World, router: Router<Route>): Reply {
  versionOf(call);
  const { batchRequests, haltOnError } = bodyOf(call);
  let hasErrors = false;
  const results = subrequests(batchRequests, 'batchRequests').map(({ method, url, richInput }) => {
    if (hasErrors && haltOnError === true) return { statusCode: 412, result: [{ errorCode: 'BATCH_PROCESSING_HALTED', message: 'Batch processing halted per request' }] };
    const path = String(url).startsWith('/') ? String(url) : `/services/data/${String(url)}`;
    const reply = perform(call, world, router, String(method), path, richInput);
    hasErrors ||= reply.status >= 300;
    return { statusCode: reply.status, result: reply.body ?? null };
  });
  return { status: 200, body: { hasErrors, results } };
}

function subrequests(value: unknown, name: string): readonly JsonObject[] {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isObject)) throw refuse(400, 'JSON_PARSER_ERROR', `${name} must be a list of objects`);
  if (value.length > maxSubrequests) throw refuse(400, 'INVALID_INPUT', `At most ${maxSubrequests} subrequests are allowed.`);
  return value;
}

function perform(call: Call, world: World, router: Router<Route>, method: string, url: string, body: unknown): Reply {
  const [path = '', queryText = ''] = url.split('?');
  const found = router.find(method.toUpperCase(), path);
  if (found.kind !== 'route') return errorReply(404, { errorCode: 'NOT_FOUND', message: 'The requested resource does not exist' });
  const inner = call.as(found.target.operation, found.parameters, method.toUpperCase(), path, queryText, body === undefined ? '' : JSON.stringify(body));
  try {
    return found.target.handle(inner, world);
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

function filledIn(body: unknown, answers: ReadonlyMap<string, unknown>): unknown {
  return JSON.parse(JSON.stringify(body), (_key, value: unknown) => (typeof value === 'string' ? filled(value, answers) : value));
}

function filled(text: string, answers: ReadonlyMap<string, unknown>): string {
  return text.replaceAll(/@\{(\w+)\.([\w.[\]]+)\}/g, (whole, reference: string, path: string) => {
    const value = path.split(/[.[\]]+/).filter((part) => part !== '').reduce<unknown>(step, answers.get(reference));
    return value === undefined ? whole : String(value);
  });
}

function step(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
}
