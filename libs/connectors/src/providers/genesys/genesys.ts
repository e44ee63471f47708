import { ask, defineProvider, get, host, number, oauth2, on, optional, perMinute, post, required, retryAfter, searchFirst, secondsIn, secondsInText, secret, text, url } from '../../kit/index.js';

const contactIdentifier = { type: 'ExternalId', value: '{input.contact_reference}', externalSource: { id: '{settings.external_source_id}' } };
const mark = '[trunkline:{reference}]';

/** Genesys Cloud Platform API v2. Shapes from the public OpenAPI document and purecloud-platform-client-v2 262.0.0, read 2026-11-20; see SETUP.md for roles. */
export const genesys = defineProvider({
  id: 'genesys',
  name: 'Genesys Cloud',
  family: 'contact-centre',
  source: 'api.mypurecloud.com/api/v2/docs/swagger and purecloud-platform-client-v2 262.0.0, read 2026-11-20',
  baseUrl: ['{settings.api_url}', 'https://api.{settings.region}'],
  auth: oauth2({
    // Tokens live as long as the OAuth client says (`accessTokenValiditySeconds`).
    token: ['{settings.login_url}/oauth/token', '{settings.api_url}/oauth/token', 'https://login.{settings.region}/oauth/token'],
    client: 'basic',
    clientCredentials: true,
    authorizationCode: {
      authorize: ['{settings.login_url}/oauth/authorize', '{settings.api_url}/oauth/authorize', 'https://login.{settings.region}/oauth/authorize'],
      // The platform API ends the token of whoever asks (DELETE /api/v2/tokens/me); there is no RFC 7009.
      revoke: null,
      scopes: ['external-contacts'],
      sendsIssuer: false,
      instance: null,
      // A new one is said to come with each refresh; the vendor does not write it down.
      refreshTokenRotates: 'always',
      keepAliveMs: 24 * 60 * 60 * 1000,
      source: 'purecloud-platform-client-v2 262.0.0 (ApiClient.js) and the authorization server\'s metadata (grant types, PKCE S256), read 2026-11-20',
    },
  }),
  settings: [
    host('region', 'Region', { help: 'The domain of your organisation, such as mypurecloud.com.au or usw2.pure.cloud.', required: false }),
    url('api_url', 'API address', { help: 'Only where it does not follow from the region.', required: false }),
    url('login_url', 'Login address', { help: 'Only where it does not follow from the region.', required: false }),
    text('external_source_id', 'External source', { help: 'Id of the external source (Admin, External contacts) under which Trunkline registers contacts.', default: 'trunkline' }),
    number('search_commit_within_ms', 'A note on its way has been written within (ms)', { help: 'Without it a note in doubt that is not found waits for a person.', required: false }),
    number('search_visible_after_ms', 'Notes show a new one after (ms)', { required: false }),
  ],
  credentials: [text('client_id', 'OAuth client id'), secret('client_secret', 'OAuth client secret')],
  limits: [perMinute(300, 'client.credentials.token.rate.per.minute = 300; Genesys Cloud developer community, staff answers, read 2026-11-20')],
  limitHeaders: { used: 'inin-ratelimit-count', allowed: 'inin-ratelimit-allowed', resetSeconds: 'inin-ratelimit-reset' },
  requestIdHeader: 'inin-correlation-id',
  errorBody: { code: ['code'], message: ['message'] },
  errors: [
    on(429).throttled({ until: [retryAfter, secondsInText(/Retry the request in \[(\d+)\] seconds/), secondsIn('inin-ratelimit-reset')], otherwiseMs: 60_000 }),
    // A quota of the day that comes as a bad request.
    on(400, 'service.limit.per.day.maximum.created.limit.reached').throttled({ until: [], otherwiseMs: 60 * 60 * 1000 }),
    on(401, 'ip.not.authorized').auth({ refresh: false }),
    on(401).auth(),
    on(403).auth({ refresh: false }),
    on(409).conflict(),
  ],
  nothingWritten: { statuses: [400, 401, 403, 404, 405, 409, 413, 415, 422, 429], source: 'error catalogue of the OpenAPI document (permanent errors refuse the whole request), read 2026-11-20' },
  check: [{ shows: 'The credentials are accepted', call: get('/api/v2/tokens/me') }],
  actions: {
    log_conversation: {
      title: 'Log a conversation',
      summary: 'Adds a note to the external contact. A contact that is not known yet is registered under its reference.',
      input: [
        required('text', 'Text of the note'),
        optional('contact_id', 'Genesys id of the contact, where it is known'),
        optional('contact_reference', 'Our own id of the contact, where the Genesys id is not known'),
        optional('contact_name', 'Name for a contact that is new'),
        optional('contact_phone', 'Phone number in E.164 form'),
        optional('contact_email', 'Email address'),
      ],
      prepare: [
        {
          name: 'contact',
          given: 'input.contact_id',
          // The one upsert Genesys has: atomic on the external id (ContactEnrichRequest).
          harmless: 'upserts',
          call: ask('/api/v2/externalcontacts/contacts/enrich', {
            body: {
              matchingIdentifiers: [contactIdentifier],
              action: 'Upsert',
              contact: { lastName: '{input.contact_name?}', workPhone: { e164: '{input.contact_phone?}' }, workEmail: '{input.contact_email?}' },
              fieldRules: { defaultAction: 'PreferProvided', defaultArrayAction: 'Extend' },
            },
          }),
          take: 'id',
        },
      ],
      write: post('/api/v2/externalcontacts/contacts/{prepared.contact}/notes', {
        body: { noteText: `{input.text}\n${mark}` },
        result: { note_id: 'id', contact_id: '{prepared.contact}' },
        externalId: 'note_id',
        repeat: searchFirst({
          prepare: [{ name: 'contact', given: 'input.contact_id', harmless: 'reads', call: ask('/api/v2/externalcontacts/identifierlookup/contacts', { body: contactIdentifier }), take: 'id', absentOn: [404] }],
          call: get('/api/v2/externalcontacts/contacts/{prepared.contact}/notes', { query: { pageSize: '100', sortOrder: 'createDate:desc' } }),
          rows: 'entities',
          matches: { path: 'noteText', contains: mark },
          result: { note_id: 'id', contact_id: '{prepared.contact}' },
          externalId: 'note_id',
          pages: { parameter: 'pageNumber', size: 100, most: 10 },
          bounds: { commitWithinMs: null, visibleAfterMs: null, source: 'the vendor states no bound (searched 2026-11-20); an administrator may' },
        }),
      }),
    },
  },
});
