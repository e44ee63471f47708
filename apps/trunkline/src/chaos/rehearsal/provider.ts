import { clientCredentials, concurrent, defineProvider, get, key, never, on, post, put, required, retryAfter, searchFirst, secret, text, upsert, url } from '@trunkline/connectors';

const source = 'this rehearsal\'s own simulator';
const input = [required('text', 'Any text')];
const written = { result: { id: 'id' }, externalId: 'id' } as const;

/** The limit of calls of one integration, in a window short enough for a rehearsal. */
export const rehearsalWindowMs = 10_000;

/** A provider with one write for each way to repeat a write: the real ones have no idempotency keys, and none that may never be repeated. */
export const rehearsal = defineProvider({
  id: 'rehearsal',
  name: 'Rehearsal',
  family: 'crm',
  source,
  baseUrl: ['{settings.base_url}'],
  auth: clientCredentials({ token: ['{settings.base_url}/token'], client: 'form' }),
  settings: [url('base_url', 'Address')],
  credentials: [text('client_id', 'Client'), secret('client_secret', 'Secret')],
  limits: [{ kind: 'window', name: 'per_window', calls: 100_000, windowMs: rehearsalWindowMs, source }, concurrent(64, source)],
  requestIdHeader: 'x-request-id',
  errorBody: { code: ['code'], message: ['message'] },
  errors: [on(429).throttled({ until: [retryAfter], otherwiseMs: 2_000 }), on(401).auth(), on(422, 'key_reused').unknown()],
  nothingWritten: { statuses: [400, 401, 403, 404, 429], source },
  check: [{ shows: 'The credentials are accepted', call: get('/me') }],
  actions: {
    write_by_key: {
      title: 'Write under an idempotency key', summary: '', input,
      write: post('/keyed', { body: { text: '{input.text}' }, ...written, repeat: key('idempotency-key', { ttlMs: 24 * 60 * 60 * 1000, source }) }),
    },
    write_by_upsert: {
      title: 'Write on a unique field', summary: '', input,
      write: put('/upserted/{reference}', { body: { text: '{input.text}' }, ...written, repeat: upsert('reference', { source }) }),
    },
    write_after_search: {
      title: 'Write what can be searched', summary: '', input,
      write: post('/searched', {
        body: { text: '{input.text}', reference: '{reference}' },
        ...written,
        repeat: searchFirst({ call: get('/searched', { query: { reference: '{reference}' } }), rows: 'rows', matches: { path: 'reference', equals: '{reference}' }, ...written, bounds: { commitWithinMs: 500, visibleAfterMs: 500, source } }),
      }),
    },
    write_once: {
      title: 'Write without a way to repeat it', summary: '', input,
      write: post('/once', { body: { text: '{input.text}', reference: '{reference}' }, ...written, repeat: never() }),
    },
  },
});
