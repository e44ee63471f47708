import { defineError } from '@trunkline/contracts';

export const BodyNotJson = defineError('request.body_not_json', { class: 'usage', http: 400, title: 'The body is not JSON', fix: 'Send UTF-8 JSON; the detail says where reading stopped.' });
export const BodyTooLarge = defineError('request.body_too_large', { class: 'usage', http: 413, title: 'The request body is too large', fix: 'Keep each body under 1 MB; split a batch of events into several requests.' });
export const ContentTypeUnknown = defineError('request.content_type', {
  class: 'usage',
  http: 415,
  title: 'The content type is not understood here',
  fix: 'Send application/json; for events also application/cloudevents+json or application/cloudevents-batch+json.',
});
export const RequestInvalid = defineError('request.invalid', { class: 'usage', http: 400, title: 'The request is not valid', fix: 'Compare it with the operation in /api/docs; fields set by the server may not be sent.' });
export const RequestTimedOut = defineError('request.timed_out', { class: 'usage', http: 408, title: 'The request did not arrive in time', fix: 'Send the whole request within the time-out, then repeat it.' });
export const HttpMalformed = defineError('request.malformed', { class: 'usage', http: 400, title: 'The request is not well-formed HTTP', fix: 'Use an HTTP client library; nothing of the request was read.' });
export const HeadersTooLarge = defineError('request.headers_too_large', { class: 'usage', http: 431, title: 'The request headers are too large', fix: 'Send fewer or shorter headers.' });
export const RouteUnknown = defineError('request.route_unknown', { class: 'not-found', http: 404, title: 'There is nothing at this address', fix: 'See /api/docs for every path and method.' });
export const NotFound = defineError('request.not_found', { class: 'not-found', http: 404, title: 'Not found', fix: 'Check the id; only things of the key\'s own organisation can be seen.' });
export const KeyMissing = defineError('request.key_missing', { class: 'auth', http: 401, title: 'An API key or a session is needed', fix: 'Send a key as "Authorization: Bearer tl_…" or in the header x-api-key; people sign in with POST /api/session.' });
export const ScopeMissing = defineError('request.scope_missing', { class: 'auth', http: 403, title: 'This is not allowed with these credentials', fix: 'Use a key with the scope, or ask for a role with the permission, that the detail names.' });
export const PeopleOnly = defineError('request.people_only', { class: 'auth', http: 403, title: 'Only a person who is signed in can do this', fix: 'Sign in with POST /api/session and send its cookie instead of a key.' });
export const ForgerySuspected = defineError('request.forgery_suspected', { class: 'auth', http: 403, title: 'The request may not come from our own pages', fix: 'Send the csrf_token of GET /api/session in the header x-csrf-token, from the same origin.' });
export const TypesUnavailable = defineError('gateway.event_types_unavailable', { class: 'unavailable', http: 503, title: 'Event types cannot be looked up at the moment', fix: 'Repeat the request after the seconds that Retry-After gives; see /readyz on the operations port.' });
export const NotDurable = defineError('gateway.not_durable', {
  class: 'unavailable',
  http: 503,
  title: 'Not every event is surely stored',
  fix: 'Repeat the whole request after the seconds that Retry-After gives; what was stored is recognised by source and id and never done twice.',
});
export const BacklogTooOld = defineError('gateway.backlog_too_old', {
  class: 'unavailable',
  http: 503,
  title: 'The part of the log these events belong to has not been read for days',
  fix: 'Get the ledger to read again (GET /api/topics shows its lag), then repeat the whole request; what is in the log is kept.',
});
export const Overloaded = defineError('gateway.overloaded', { class: 'unavailable', http: 503, title: 'More events are waiting to be stored than fit in memory', fix: 'Repeat the whole request after the seconds that Retry-After gives.' });
export const PreconditionFailed = defineError('request.precondition_failed', { class: 'conflict', http: 412, title: 'It has changed since it was read', fix: 'Read it again, apply the change to what is there now, and send its new ETag in If-Match.' });
export const PreconditionMissing = defineError('request.precondition_missing', { class: 'usage', http: 428, title: 'If-Match is needed', fix: 'Read it first and send its ETag in If-Match, or If-None-Match: * to create it.' });
export const DatabaseUnavailable = defineError('gateway.database_unavailable', { class: 'unavailable', http: 503, title: 'The database does not answer', fix: 'Repeat the request after the seconds that Retry-After gives; see /readyz on the operations port.' });
export const IdempotencyReused = defineError('request.idempotency_key_reused', { class: 'conflict', http: 422, title: 'The Idempotency-Key already stands for another request', fix: 'Use a new key for each different request.' });
export const Internal = defineError('gateway.internal', { class: 'bug', http: 500, title: 'Something went wrong here', fix: 'Report the request id; the logs of the gateway hold the cause.' });
export const PortTaken = defineError('gateway.port_taken', { class: 'usage', http: 500, title: 'The port cannot be opened', fix: 'Set PORT to another port, or to 0 for any free one.' });
