import { defineProvider, get, oauth2, on, optional, patch, perDay, required, retryAfter, secret, text, upsert, url } from '../../kit/index.js';

const day = 24 * 60 * 60 * 1000;

/** Salesforce REST API v68.0 (Winter '27). Read 2026-11-20 in the vendor's REST guide, its error reference and jsforce 3.10.26; see SETUP.md for the external client app. */
export const salesforce = defineProvider({
  id: 'salesforce',
  name: 'Salesforce',
  family: 'crm',
  source: 'developer.salesforce.com REST API guide v68.0 and jsforce 3.10.26, read 2026-11-20',
  // Client credentials work on the My Domain host only; who signs in may belong to an org that answers elsewhere.
  baseUrl: ['{granted.instance_url}', '{settings.instance_url}'],
  auth: oauth2({
    token: ['{settings.instance_url}/services/oauth2/token'],
    client: 'form',
    // The token answer has no `expires_in`; a token lives as long as the org's session time-out and is replaced when it is refused.
    lifeWithoutExpiryMs: null,
    clientCredentials: true,
    authorizationCode: {
      authorize: ['{settings.instance_url}/services/oauth2/authorize'],
      revoke: ['{settings.instance_url}/services/oauth2/revoke'],
      scopes: ['api', 'refresh_token'],
      // No RFC 9207 in the vendor's documents.
      sendsIssuer: false,
      instance: { field: 'instance_url', hosts: ['my.salesforce.com', 'my.salesforce.mil'] },
      refreshTokenRotates: 'by-setting',
      keepAliveMs: day,
      source: 'help.salesforce.com remoteaccess_oauth_refresh_token_flow and web_server_flow, jsforce 3.10.26 (oauth2.ts), read 2026-11-20; how long an unused refresh token lives is the org\'s refresh token policy',
    },
  }),
  settings: [
    url('instance_url', 'My Domain address', { help: 'https://{company}.my.salesforce.com' }),
    text('api_version', 'API version', { default: 'v68.0' }),
    text('external_id_field', 'External id field on Task', { help: 'A custom text field (32 or longer) on Activity, marked External ID and Unique.', default: 'Trunkline_Reference__c' }),
  ],
  credentials: [text('client_id', 'Consumer key'), secret('client_secret', 'Consumer secret')],
  limits: [perDay(100_000, 'Enterprise and Professional: 100,000 + 1,000 per licence in rolling 24 hours; vendor limits page, read 2026-08-13. Below 20 seconds calls at once are not limited.')],
  requestIdHeader: 'x-request-id',
  errorBody: { code: ['[0].errorCode', 'error'], message: ['[0].message', 'error_description'] },
  errors: [
    // The limit is a 403 and names no time.
    on(403, /REQUEST_LIMIT_EXCEEDED.*Concurrent/).throttled({ until: [retryAfter], otherwiseMs: 60_000 }),
    on(403, 'REQUEST_LIMIT_EXCEEDED').throttled({ until: [retryAfter], otherwiseMs: 15 * 60_000 }),
    on(429).throttled({ until: [retryAfter], otherwiseMs: 60_000 }),
    on(401, /not attached to Agent|not valid for use with the REST API/).auth({ refresh: false }),
    on(401).auth(),
    on(403).auth({ refresh: false }),
    on(400, 'UNABLE_TO_LOCK_ROW').transient(),
    on(400, 'QUERY_TIMEOUT').transient(),
    // Two upserts of one key at once: one of them wins, the other finds it the next time.
    on(400, 'DUPLICATE_VALUE').transient(),
    on(300).conflict(),
    // An edge quirk: bodies without a reason.
    on(406).transient(),
    on(420).transient(),
  ],
  nothingWritten: { statuses: [300, 400, 401, 403, 404, 405, 415], source: 'REST API error reference ("nothing is written"), read 2026-11-20; not needed by an upsert' },
  check: [
    { shows: 'The credentials are accepted', call: get('/services/data/{settings.api_version}/limits') },
    {
      shows: 'The external id field is unique',
      call: get('/services/data/{settings.api_version}/sobjects/Task/describe'),
      problem: (body, settings) => fieldProblem(body, String(settings['external_id_field'])),
    },
  ],
  actions: {
    push_summary: {
      title: 'Push a summary',
      summary: 'Writes a completed task with the summary and the job number, found again by our reference in an external id field.',
      input: [
        required('subject', 'Subject'),
        required('job_number', 'Number of the job'),
        optional('description', 'Summary of the conversation'),
        optional('activity_date', 'Date (YYYY-MM-DD)'),
        optional('call_type', 'Inbound, Outbound or Internal'),
        optional('duration_seconds', 'Duration in seconds'),
        optional('conversation_id', 'Our id of the conversation'),
        optional('who_id', 'Id of the contact or lead'),
        optional('what_id', 'Id of the related record'),
      ],
      write: patch('/services/data/{settings.api_version}/sobjects/Task/{settings.external_id_field}/{reference}', {
        body: {
          Subject: '{input.subject}',
          Status: 'Completed',
          Description: 'Job {input.job_number}\n{input.description?}',
          ActivityDate: '{input.activity_date?}',
          CallType: '{input.call_type?}',
          CallDurationInSeconds: '{input.duration_seconds?}',
          CallObject: '{input.conversation_id?}',
          WhoId: '{input.who_id?}',
          WhatId: '{input.what_id?}',
        },
        result: { task_id: 'id' },
        externalId: 'task_id',
        // Before v46 an update answered 204.
        mayBeEmpty: true,
        repeat: upsert('external_id_field', { source: 'REST API guide, "Insert or Update (Upsert) a Record Using an External ID", read 2026-11-20' }),
      }),
    },
  },
});

/** P4: an upsert is atomic only on a field that the database keeps unique. */
function fieldProblem(body: unknown, name: string): string | null {
  const fields = (body as { readonly fields?: unknown } | null | undefined)?.fields;
  const field = Array.isArray(fields) ? (fields as readonly Readonly<Record<string, unknown>>[]).find((candidate) => candidate['name'] === name) : undefined;
  if (field === undefined) return `Task has no field ${name} that this client may see`;
  if (field['externalId'] !== true) return `${name} is not marked as External ID`;
  return field['unique'] === true ? null : `${name} is not marked as Unique`;
}
