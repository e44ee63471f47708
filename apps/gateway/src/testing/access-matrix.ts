import type { MatrixWorld, Tenant } from './matrix-world.js';

/**
 * Who may do what: one row per operation of the API description, written by hand and held against the running gateway.
 * `roles`: which of owner, admin, data_ops, planner, staff and viewer may. `scope`: the one scope a key needs; null where keys are not taken.
 * `own`: the answer to those who may, about their own organisation's thing. `foreign`: about another organisation's thing; null where the address names none.
 */
export interface MatrixRow {
  readonly roles: string;
  readonly scope: string | null;
  readonly own: number;
  readonly foreign: number | null;
  /** The answer to a key with that scope alone, where it differs from `own`: nobody gives or takes away what may more than they themselves. */
  readonly scoped?: number;
  readonly body?: unknown;
  readonly contentType?: string;
  /** Fills the address with a thing of this tenant; made anew for each request where the request uses it up. */
  readonly path?: (tenant: Tenant, world: MatrixWorld) => Promise<string> | string;
  /** The request ends the session it is made in. */
  readonly endsSession?: boolean;
}

const everybody = 'owner admin data_ops planner staff viewer';
const operators = 'owner admin data_ops';
const administrators = 'owner admin';
/** Open to all, and to be told from a refusal by its own status. */
const open = 'everybody';

const event = { specversion: '1.0', id: 'matrix', source: '/matrix', type: 'kb_sync', data: { knowledge_base_id: 'kb' } };

export const accessMatrix: Readonly<Record<string, MatrixRow>> = {
  'POST /api/events': { roles: operators, scope: 'events:publish', own: 202, foreign: null, body: event },
  'GET /api/event-types': { roles: everybody, scope: 'event-types:read', own: 200, foreign: null },

  'GET /api/runs': { roles: everybody, scope: 'runs:read', own: 200, foreign: null },
  'GET /api/runs/{id}': { roles: everybody, scope: 'runs:read', own: 200, foreign: 404, path: ({ run }) => `/api/runs/${run}` },
  'POST /api/runs/{id}/replay': { roles: operators, scope: 'runs:replay', own: 202, foreign: 404, body: { dry_run: true }, path: ({ run }) => `/api/runs/${run}/replay` },
  'POST /api/runs/{id}/cancel': { roles: operators, scope: 'runs:cancel', own: 200, foreign: 404, body: {}, path: ({ run }) => `/api/runs/${run}/cancel` },
  'POST /api/runs/{id}/steps/{step}/settle': { roles: operators, scope: 'runs:settle', own: 409, foreign: 404, body: { outcome: 'done' }, path: ({ run }) => `/api/runs/${run}/steps/summary/settle` },

  'GET /api/audit': { roles: administrators, scope: 'audit:read', own: 200, foreign: null },

  'GET /api/dead-letters': { roles: everybody, scope: 'dead-letters:read', own: 200, foreign: null },
  'GET /api/dead-letters/{id}': { roles: everybody, scope: 'dead-letters:read', own: 200, foreign: 404, path: ({ deadLetter }) => `/api/dead-letters/${deadLetter}` },
  'POST /api/dead-letters/redrive': { roles: operators, scope: 'dead-letters:redrive', own: 200, foreign: null, body: { dry_run: true } },

  'GET /api/chains/{eventType}': { roles: everybody, scope: 'chains:read', own: 200, foreign: 404, path: ({ chain }) => `/api/chains/${chain}` },
  'PUT /api/chains/{eventType}': { roles: administrators, scope: 'chains:write', own: 428, foreign: null, body: { steps: [] }, path: ({ chain }) => `/api/chains/${chain}` },
  'POST /api/chains/{eventType}/check': { roles: everybody, scope: 'chains:read', own: 200, foreign: null, body: { steps: [] }, path: ({ chain }) => `/api/chains/${chain}/check` },

  'GET /api/integrations/templates': { roles: everybody, scope: 'integrations:read', own: 200, foreign: null },
  'GET /api/integrations/templates/{provider}': { roles: everybody, scope: 'integrations:read', own: 200, foreign: null, path: () => '/api/integrations/templates/salesforce' },
  'GET /api/integrations/org/{org_id}': { roles: everybody, scope: 'integrations:read', own: 200, foreign: 404, path: ({ id }) => `/api/integrations/org/${id}` },
  'POST /api/integrations/org/{org_id}': { roles: administrators, scope: 'integrations:write', own: 201, foreign: 404, body: { provider: 'salesforce', name: 'made', settings: { instance_url: 'https://crm.example.org' } }, path: ({ id }) => `/api/integrations/org/${id}` },
  'POST /api/integrations/process-queue': { roles: operators, scope: 'integrations:process-queue', own: 200, foreign: null, body: {} },
  'GET /api/integrations/{id}': { roles: everybody, scope: 'integrations:read', own: 200, foreign: 404, path: ({ integration }) => `/api/integrations/${integration}` },
  'PUT /api/integrations/{id}': { roles: administrators, scope: 'integrations:write', own: 428, foreign: 404, body: { name: 'changed' }, path: ({ integration }) => `/api/integrations/${integration}` },
  'DELETE /api/integrations/{id}': { roles: administrators, scope: 'integrations:write', own: 204, foreign: 404, path: async (tenant, world) => `/api/integrations/${await world.newIntegration(tenant)}` },
  'POST /api/integrations/{id}/test': { roles: operators, scope: 'integrations:test', own: 200, foreign: 404, body: {}, path: ({ integration }) => `/api/integrations/${integration}/test` },
  'POST /api/integrations/{id}/pause': { roles: operators, scope: 'integrations:hold', own: 200, foreign: 404, body: {}, path: ({ integration }) => `/api/integrations/${integration}/pause` },
  'POST /api/integrations/{id}/resume': { roles: operators, scope: 'integrations:hold', own: 200, foreign: 404, body: {}, path: async (tenant, world) => `/api/integrations/${await world.newIntegration(tenant)}/resume` },

  'POST /api/integrations/{id}/connect': { roles: administrators, scope: 'integrations:connect', own: 200, foreign: 404, body: {}, path: ({ integration }) => `/api/integrations/${integration}/connect` },
  'POST /api/integrations/{id}/connect/confirm': { roles: administrators, scope: 'integrations:connect', own: 400, foreign: 404, body: { code: 'WRNG-CODE-0000' }, path: ({ integration }) => `/api/integrations/${integration}/connect/confirm` },
  'POST /api/integrations/{id}/disconnect': { roles: administrators, scope: 'integrations:connect', own: 409, foreign: 404, body: {}, path: ({ integration }) => `/api/integrations/${integration}/disconnect` },
  'GET /oauth/callback/{provider}': { roles: open, scope: null, own: 400, foreign: null, path: () => '/oauth/callback/salesforce' },

  'GET /api/topics': { roles: administrators, scope: 'topics:read', own: 200, foreign: null },
  'GET /api/organisation': { roles: everybody, scope: 'organisation:read', own: 200, foreign: null },

  'GET /api/people': { roles: administrators, scope: 'people:read', own: 200, foreign: null },
  'PUT /api/people/{id}': { roles: administrators, scope: 'people:manage', own: 200, scoped: 403, foreign: 404, body: { role: 'viewer' }, path: ({ viewer }) => `/api/people/${viewer}` },
  'DELETE /api/people/{id}': { roles: administrators, scope: 'people:manage', own: 204, scoped: 403, foreign: 404, path: async (tenant, world) => `/api/people/${await world.newMember(tenant, 'viewer')}` },
  'GET /api/invitations': { roles: administrators, scope: 'people:read', own: 200, foreign: null },
  'POST /api/invitations': { roles: administrators, scope: 'people:manage', own: 201, scoped: 403, foreign: null, body: { email: 'asked@example.org', role: 'viewer' } },
  'DELETE /api/invitations/{id}': { roles: administrators, scope: 'people:manage', own: 204, scoped: 403, foreign: 404, path: async (tenant, world) => `/api/invitations/${await world.newInvitation(tenant)}` },
  'GET /api/keys': { roles: administrators, scope: 'keys:read', own: 200, foreign: null },
  'POST /api/keys': { roles: administrators, scope: 'keys:manage', own: 201, foreign: null, body: { name: 'made', scopes: ['keys:manage'] } },
  'POST /api/keys/{id}/rotate': { roles: administrators, scope: 'keys:manage', own: 201, foreign: 404, body: {}, path: async (tenant, world) => `/api/keys/${await world.newKey(tenant)}/rotate` },
  'DELETE /api/keys/{id}': { roles: administrators, scope: 'keys:manage', own: 204, foreign: 404, path: async (tenant, world) => `/api/keys/${await world.newKey(tenant)}` },

  'POST /api/session': { roles: open, scope: null, own: 400, foreign: null, body: {} },
  'GET /api/session/methods': { roles: open, scope: null, own: 200, foreign: null },
  'POST /api/session/openid': { roles: open, scope: null, own: 404, foreign: null, body: {} },
  'GET /api/session/openid/callback': { roles: open, scope: null, own: 404, foreign: null },
  'POST /api/setup': { roles: open, scope: null, own: 400, foreign: null, body: {} },
  'POST /api/invitations/accept': { roles: open, scope: null, own: 400, foreign: null, body: {} },
  'GET /api/session': { roles: everybody, scope: null, own: 200, foreign: null },
  'DELETE /api/session': { roles: everybody, scope: null, own: 204, foreign: null, endsSession: true },
  'GET /api/session/organisations': { roles: everybody, scope: null, own: 200, foreign: null },
  'PUT /api/session/organisation': { roles: everybody, scope: null, own: 400, foreign: null, body: {} },
  'PUT /api/session/password': { roles: everybody, scope: null, own: 400, foreign: null, body: {} },
  'GET /api/session/all': { roles: everybody, scope: null, own: 200, foreign: null },
  'DELETE /api/session/all': { roles: everybody, scope: null, own: 200, foreign: null },
  'DELETE /api/session/all/{id}': { roles: everybody, scope: null, own: 404, foreign: 404, path: ({ session }) => `/api/session/all/${session}` },
};
