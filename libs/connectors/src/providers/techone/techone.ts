import { choice, clientCredentials, concurrent, defineProvider, get, number, on, optional, perMinute, post, required, retryAfter, searchFirst, secret, text, url } from '../../kit/index.js';

/**
 * TechnologyOne (OneCouncil, CiAnywhere). The vendor publishes no API reference: this follows what public client code shows (read 2026-11-20) and has to be verified with each tenant.
 * Every name that a tenant chooses is a setting.
 */
export const techone = defineProvider({
  id: 'techone',
  name: 'TechnologyOne',
  family: 'erp',
  source: 'community-grounded: public PowerShell and function clients and council pages, read 2026-11-20; verify with the tenant',
  baseUrl: ['{settings.base_url}'],
  auth: clientCredentials({ token: ['{settings.base_url}{settings.token_path}'], client: 'form', header: { setting: 'auth_prefix', templates: { Bearer: 'Bearer {token}', none: '{token}' } } }),
  settings: [
    url('base_url', 'CiAnywhere address', { help: 'https://{instance}.t1cloud.com/T1Default/CiAnywhere/Web/{INSTANCE}' }),
    text('token_path', 'Token path', { default: '/oauth2/access_token' }),
    choice('auth_prefix', 'Before the token', ['Bearer', 'none'], { help: 'Most tenants take "Bearer".', default: 'Bearer' }),
    text('work_request_service', 'Work request service', { default: 'WorkRequest' }),
    text('work_request_system', 'Work request system', { default: 'F1.WR' }),
    text('request_type', 'Request type for jobs without one', { default: 'GEN' }),
    text('reference_field', 'User field for our reference', { help: 'A user field of work requests that nothing else uses; the report must show it.', default: 'Userfield1Alpha' }),
    text('report', 'Report of work requests', { help: 'A report published as a service, with the request number and the user field.', default: 'CONNECTOR_REQUESTS' }),
    number('search_commit_within_ms', 'A save on its way has happened within (ms)', { help: 'Ask the vendor; without it a job in doubt waits for a person.', required: false }),
    number('search_visible_after_ms', 'The report shows a save after (ms)', { help: 'Measure it: how long until a new request is in the report.', required: false }),
  ],
  credentials: [text('client_id', 'OAuth client id'), secret('client_secret', 'OAuth client secret')],
  limits: [perMinute(60, 'no published limit; a cautious default, set 2026-11-20'), concurrent(2, 'no published limit; a cautious default, set 2026-11-20')],
  requestIdHeader: 'x-correlation-id',
  errorBody: { code: ['Messages[0].Code', 'error', 'Code'], message: ['Messages[0].Message', 'error_description', 'Message'] },
  // A refusal may come as a success.
  failsInBody: { list: 'Messages', field: 'NotificationType', value: 'Error', code: 'Code', message: 'Message', source: 'message lists in public client code, read 2026-11-20' },
  errors: [
    // The login page in the place of an answer: the request never reached the service.
    on('html').auth(),
    on(302).auth(),
    on(401).auth(),
    on(403).auth({ refresh: false }),
    on(429).throttled({ until: [retryAfter], otherwiseMs: 60_000 }),
  ],
  nothingWritten: { statuses: [302, 400, 401, 403, 404, 405, 415, 422, 429], source: 'handling in public client code, read 2026-11-20; not stated by the vendor, verify with the tenant' },
  check: [
    {
      shows: 'The credentials are accepted and the report can be read',
      call: get('/Api/RaaS/v1/{settings.report}', { query: { page: '1', pageSize: '1' } }),
      problem: (body, settings) => columnProblem(body, String(settings['reference_field'])),
    },
  ],
  actions: {
    create_job: {
      title: 'Create a job',
      summary: 'Saves a work request with our reference in a user field.',
      input: [required('description', 'What the job is about'), optional('details', 'Details'), optional('type', 'Request type code'), optional('priority', 'Priority code'), optional('requested_by', 'Who asked for it')],
      write: post('/Api/WS/v1/{settings.work_request_service}/Save', {
        body: {
          Items: [
            {
              WorkRequestSystemName: '{settings.work_request_system}',
              Description: '{input.description}',
              Details: '{input.details?}',
              RequestTypeCode: '{input.type|settings.request_type}',
              PriorityCode: '{input.priority?}',
              RequestedBy: '{input.requested_by?}',
              '{settings.reference_field}': '{reference}',
            },
          ],
        },
        result: { job_number: 'Items[0].WorkRequestNumber' },
        externalId: 'job_number',
        repeat: searchFirst({
          call: get('/Api/RaaS/v1/{settings.report}', { query: { q: '{settings.reference_field} = "{reference}"', pageSize: '50' } }),
          rows: 'DataSet',
          matches: { path: '{settings.reference_field}', equals: '{reference}' },
          result: { job_number: 'WorkRequestNumber' },
          externalId: 'job_number',
          // A tenant whose report ignores the filter shows other rows: absence is then proven by reading all of them, or not at all.
          pages: { parameter: 'page', size: 50, most: 20 },
          bounds: { commitWithinMs: null, visibleAfterMs: null, source: 'the vendor states no bound; an administrator measures it for the tenant' },
        }),
      }),
    },
  },
});

function columnProblem(body: unknown, field: string): string | null {
  const rows = (body as { readonly DataSet?: unknown } | null | undefined)?.DataSet;
  if (!Array.isArray(rows)) return 'the report answers without a DataSet';
  const [first] = rows as readonly unknown[];
  if (first === undefined || (first !== null && typeof first === 'object' && Object.hasOwn(first, field))) return null;
  return `the report does not show ${field}: a job in doubt could not be looked up`;
}
