import { randomBytes, randomUUID } from 'node:crypto';
import { actionCatalogue } from '@trunkline/connectors';
import type { Consumption } from '@trunkline/event-log';
import { isScope, permissionNames, permissionsOfRole, type Role, roles } from '@trunkline/identity';
import { createLedger } from '@trunkline/ledger';
import { inOrganisations } from '@trunkline/storage';
import { type SentHeaders, type TestGateway, startTestGateway } from './test-gateway.js';

/** An organisation with one thing of each kind. */
export interface Tenant {
  readonly id: string;
  readonly admin: Readonly<Record<string, string>>;
  readonly chain: string;
  readonly integration: string;
  readonly run: string;
  readonly deadLetter: string;
  readonly viewer: string;
  /** Of the viewer. */
  readonly session: string;
}

export type Headers = SentHeaders;

/** Two organisations behind one real gateway, and everybody who may try to get at them. */
export class MatrixWorld {
  private constructor(
    readonly gateway: TestGateway,
    private readonly consumption: Consumption,
    private readonly stopLedger: () => Promise<void>,
  ) {}

  static async start(): Promise<MatrixWorld> {
    const gateway = await startTestGateway();
    const ledger = createLedger({ databases: gateway.database.databases, eventLog: gateway.eventLog, catalogue: actionCatalogue, report: (error) => gateway.bugs.push(error) });
    await ledger.start();
    const consumption = await gateway.eventLog.consume({ mode: 'batch', group: ledger.group, topics: ledger.topics, maxRecords: ledger.maxRecords, handleBatch: (records) => ledger.handleBatch(records) });
    return new MatrixWorld(gateway, consumption, () => ledger.stop(1_000));
  }

  async close(): Promise<void> {
    await this.consumption.stop(1_000);
    await this.stopLedger();
    await this.gateway.close();
  }

  /** Chains of two organisations have names of their own, so that one can be foreign. */
  async tenant(name: string, chain: string): Promise<Tenant> {
    const { gateway } = this;
    const { id } = await gateway.identity.createOrganisation({ name });
    const admin = { authorization: `Bearer ${await gateway.newKey(['admin'], id)}` };
    const integration = await this.newIntegration({ id, admin });
    await gateway.send('POST', `/api/integrations/${integration}/pause`, {}, admin);
    let validFromMs = Number.NaN;
    // A database that is busy for a moment may refuse it, as it should.
    await until(async () => {
      const saved = await gateway.send('PUT', `/api/chains/${chain}`, { steps: [{ name: 'summary', integration, priority: 10, action: 'push_summary', input: { subject: { path: 'event.subject' } } }] }, admin);
      validFromMs = Date.parse(String(saved.body['valid_from']));
      return saved.status === 200;
    });
    await until(async () => Date.now() > validFromMs + 50);
    const published = await gateway.send('POST', '/api/events', { specversion: '1.0', id: 'one', source: '/matrix', type: chain, data: { conversation_id: 'one', reason: 'asked', score: 1, threshold: 2 } }, admin);
    const run = (published.body['receipts'] as readonly { run_id: string }[] | undefined)?.[0]?.run_id ?? '';
    await until(async () => (await gateway.send('GET', `/api/runs/${run}`, undefined, admin)).status === 200);
    const deadLetter = randomUUID();
    await inOrganisations(gateway.database.databases, [id], (client) => client.query(`insert into dead_letters (organisation_id, id, class, code, message) values ($1, $2, 'data', 'matrix.made', 'x')`, [id, deadLetter]));
    const viewer = await this.newMember({ id }, 'viewer');
    const { session } = await this.signIn(viewer, id);
    return { id, admin, chain, integration, run, deadLetter, viewer, session };
  }

  async newIntegration({ id, admin }: Pick<Tenant, 'id' | 'admin'>): Promise<string> {
    const made = await this.gateway.send('POST', `/api/integrations/org/${id}`, { provider: 'salesforce', name: 'CRM', settings: { instance_url: 'http://127.0.0.1:9' }, credentials: { client_id: 'a', client_secret: 'b' } }, admin);
    return String(made.body['id']);
  }

  async newMember({ id }: Pick<Tenant, 'id'>, role: Role): Promise<string> {
    const email = `${role}-${randomBytes(4).toString('hex')}@example.org`;
    const account = await this.gateway.people.accounts.create({ email, name: role, password: null });
    if (account === null) throw new Error('the address is taken');
    await inOrganisations(this.gateway.database.databases, [id], (client) => client.query('insert into memberships (organisation_id, user_id, role, email, name) values ($1, $2, $3, $4, $3)', [id, account.id, role, email]));
    await this.gateway.people.accounts.belongsTo(account.id, id);
    return account.id;
  }

  /** Somebody with an account and no organisation. */
  async newStranger(): Promise<string> {
    const account = await this.gateway.people.accounts.create({ email: `stranger-${randomBytes(4).toString('hex')}@example.org`, name: 'stranger', password: null });
    return account?.id ?? '';
  }

  async newInvitation({ id }: Pick<Tenant, 'id'>): Promise<string> {
    const actor = { kind: 'user', userId: randomUUID(), sessionId: randomUUID(), organisationId: id, address: '', permissions: permissionsOfRole.owner } as const;
    return (await this.gateway.people.invitations.invite(actor, { email: `${randomUUID()}@example.org`, role: 'viewer' })).invitation.id;
  }

  async newKey({ id }: Pick<Tenant, 'id'>): Promise<string> {
    return (await this.gateway.identity.createApiKey({ organisationId: id, name: 'made', scopes: ['keys:manage'] })).keyId;
  }

  async signIn(userId: string, organisationId?: string): Promise<{ readonly headers: Headers; readonly session: string }> {
    const token = await this.gateway.people.sessions.open(userId, 'openid', { address: '127.0.0.1', browser: 'matrix' }, { organisationId });
    const signedIn = await this.gateway.people.sessions.find(token);
    const cookie = `trunkline_session=${token}`;
    const shown = await this.gateway.send('GET', '/api/session', undefined, { authorization: undefined, cookie });
    return { headers: { cookie, 'x-csrf-token': String(shown.body['csrf_token']) }, session: signedIn?.sessionId ?? '' };
  }

  /** A key with one permission, and one with all the others. */
  async keysAround(tenant: Tenant, scope: string): Promise<{ readonly scoped: Headers; readonly others: Headers }> {
    const header = async (scopes: readonly string[]): Promise<Headers> => ({ authorization: `Bearer ${await this.gateway.newKey(scopes, tenant.id)}` });
    return { scoped: await header([scope]), others: await header(permissionNames.filter((name) => name !== scope && isScope(name))) };
  }

  async people(tenant: Tenant): Promise<ReadonlyMap<Role, string>> {
    return new Map(await Promise.all(roles.map(async (role) => [role, await this.newMember(tenant, role)] as const)));
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition never came true');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
