import { randomUUID } from 'node:crypto';
import type { PlannedStep } from '@trunkline/chain';
import type { FixtureServer } from '@trunkline/connectors/testing';
import { createIdentity } from '@trunkline/identity';
import { createLedgerVerbs, type LedgerVerbs } from '@trunkline/ledger';
import { catalogueOf } from '@trunkline/connectors';
import { fixture } from '@trunkline/connectors/testing';
import { inTenant, type Databases, placeOfCredentials, placeOfGrant } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { GatewayClient } from '../support/gateway-client.js';
import { LedgerReader, type RunRow, type StepRow } from '../support/ledger-reader.js';
import { councilEvent, type CouncilEvent } from '../support/service-requests.js';
import { until } from '../support/until.js';
import { patienceMs } from './patience.js';

/** Events with this assistant have a chain of one step that may not be repeated; all others the chain of four. */
const once = 'once';
const repeatable = ['keyed', 'upserted', 'searched', 'after'] as const;

export interface Around {
  readonly databases: Databases;
  readonly databaseUrl: string;
  readonly gatewayUrl: string;
  readonly vault: Vault;
  readonly server: FixtureServer;
}

/** What became of the steps that may not be repeated. */
export interface OnceFigures {
  readonly done: number;
  readonly parked: number;
  /** Effects of the parked ones. */
  readonly written: number;
}

/** One organisation with its events, for one row of the matrix: nothing that happened to another can hold it up. */
export class Stage {
  readonly verbs: LedgerVerbs;
  readonly reader: LedgerReader;
  /** Run ids by event id, as the receipts say. */
  readonly receipts = new Map<string, string>();
  events: readonly CouncilEvent[] = [];

  private constructor(
    private readonly around: Around,
    readonly organisationId: string,
    readonly integrationId: string,
    readonly client: GatewayClient,
  ) {
    this.verbs = createLedgerVerbs({ databases: around.databases, catalogue: catalogueOf([fixture]) });
    this.reader = new LedgerReader(around.databaseUrl);
  }

  static async prepare(around: Around): Promise<Stage> {
    const { databases, vault, server, gatewayUrl } = around;
    const identity = createIdentity({ databases });
    const { id: organisationId } = await identity.createOrganisation({ name: 'Harbour City Council' });
    const integrationId = randomUUID();
    await inTenant(databases, organisationId, async (client) => {
      const credentials = await vault.seal(JSON.stringify({ client_id: 'client', client_secret: 'secret' }), placeOfCredentials(organisationId, integrationId));
      await client.query('insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $3, $4, $5)', [organisationId, integrationId, fixture.id, JSON.stringify({ base_url: server.url }), credentials]);
      for (const [assistant, steps] of [['', fourSteps(integrationId)], [once, [step(integrationId, once, 'write_once', 10)]]] as const) {
        await client.query(`insert into chain_versions (organisation_id, event_type, assistant_id, version, steps, valid_from) values ($1, 'conversation_ended', $2, 1, $3, to_timestamp(0))`, [organisationId, assistant, JSON.stringify(steps)]);
      }
    });
    const { apiKey } = await identity.createApiKey({ organisationId, name: 'test', scopes: ['publish', 'read', 'execute', 'admin'] });
    return new Stage(around, organisationId, integrationId, new GatewayClient(gatewayUrl, apiKey));
  }

  /** Three events of two subjects for the chain of four, and some that may not be repeated. */
  write({ chains = 3, onces = 2 }: { readonly chains?: number; readonly onces?: number } = {}): readonly CouncilEvent[] {
    const name = this.organisationId.slice(0, 8);
    const many = Array.from({ length: chains }, (_, index) => councilEvent(`${name}-c${index}`, { subject: index === 1 ? 'Elm Street' : 'Oak Street' }));
    const single = Array.from({ length: onces }, (_, index) => ({ ...councilEvent(`${name}-o${index}`), assistant: once }));
    this.events = [...many, ...single];
    return this.events;
  }

  async publish(wishes?: Parameters<Stage['write']>[0]): Promise<void> {
    if (this.events.length === 0) this.write(wishes);
    for (const [id, runId] of await this.client.publishSurely(this.events, patienceMs)) this.receipts.set(id, runId);
  }

  /** As if a person had signed in at the provider, an hour ago or just now. */
  async signIn(tokens: Readonly<Record<string, unknown>>, isExpired: boolean): Promise<void> {
    const { organisationId, integrationId, around: { databases, vault } } = this;
    const sealed = await vault.seal(JSON.stringify({ answer: tokens, instanceUrl: null, places: [`${this.around.server.url}/token`, this.around.server.url] }), placeOfGrant(organisationId, integrationId));
    await inTenant(databases, organisationId, async (client) => {
      await client.query(`update integrations set settings = settings || '{"sign_in": "authorization_code"}', version = version + 1, updated_at = clock_timestamp() where id = $1`, [integrationId]);
      await client.query(
        `insert into grants as g (organisation_id, integration_id, provider, state, tokens, expires_at, connected_by) values ($1, $2, $3, 'connected', $4, clock_timestamp() + make_interval(secs => $5), 'key:test')
         on conflict (organisation_id, integration_id) do update set state = 'connected', reason = null, tokens = excluded.tokens, expires_at = excluded.expires_at, version = g.version + 1, unfinished = 0, refreshing_by = null, refreshing_until = null`,
        [organisationId, integrationId, fixture.id, sealed, isExpired ? -1 : 3_600],
      );
    });
  }

  async grant(): Promise<{ readonly state: string; readonly reason: string | null; readonly version: number } | undefined> {
    return (await this.reader.query<{ state: string; reason: string | null; version: number }>('select state, reason, version from grants where organisation_id = $1', [this.organisationId]))[0];
  }

  /** Those that were planned; replays are counted by themselves. */
  async runs(): Promise<readonly RunRow[]> {
    const planned = await this.reader.query<{ run_id: string }>('select run_id from runs where organisation_id = $1 and root_run_id = run_id', [this.organisationId]);
    const ids = new Set(planned.map((row) => row.run_id));
    return (await this.reader.runs()).filter(({ runId }) => ids.has(runId));
  }

  /** How many rows of a table are this organisation's. */
  async count(table: 'intents' | 'handovers' | 'runs' | 'dead_letters' | 'due_work' | 'attempts', where = 'true'): Promise<number> {
    const [row] = await this.reader.query<{ count: number }>(`select count(*)::int as count from ${table} where organisation_id = $1 and ${where}`, [this.organisationId]);
    return row?.count ?? 0;
  }

  /** Commands of dispatches of this organisation that no process has marked as sent. */
  async unsent(): Promise<number> {
    const [row] = await this.reader.query<{ count: number }>('select count(*)::int as count from dispatches where sent_at is null and items like $1', [`%${this.organisationId}%`]);
    return row?.count ?? 0;
  }

  get written(): number {
    return this.effects().length;
  }

  /** Every run is done, or waits for a person, and nobody will touch one again by himself. */
  async untilEnded(): Promise<void> {
    await until(`the end of ${this.events.length} runs`, async () => {
      const runs = await this.runs();
      return runs.length === this.events.length && runs.every(({ state }) => state !== 'running');
    }, 2 * patienceMs, 50).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify((await this.runs()).filter(({ state }) => state === 'running'))}`);
    });
  }

  /** Everything that is not as promised. */
  async breaches(): Promise<readonly string[]> {
    const runs = await this.runs();
    return [
      ...this.events.filter(({ id }) => runs.filter(({ eventId }) => eventId === id).length !== 1).map(({ id }) => `${id} has not exactly one run`),
      ...runs.filter((run) => this.receipts.get(run.eventId) !== run.runId).map(({ eventId }) => `${eventId}: the receipt names another run`),
      ...runs.flatMap((run) => run.steps.flatMap((one) => this.breachesOf(run, one))),
      ...(await this.sentTwice()).map((runId) => `run ${runId}: what may not be repeated was sent twice`),
      ...this.overtaken(runs),
      ...((await this.count('due_work')) > 0 ? ['work is still due'] : []),
    ];
  }

  onceFigures(runs: readonly RunRow[]): OnceFigures {
    const steps = runs.flatMap((run) => run.steps.filter(({ id }) => id === once).map((one) => ({ state: one.state, written: this.effects(run.eventId, once).length })));
    const parked = steps.filter(({ state }) => state === 'parked');
    return { done: steps.filter(({ state }) => state === 'done').length, parked: parked.length, written: parked.reduce((sum, { written }) => sum + written, 0) };
  }

  private breachesOf({ eventId, state }: RunRow, one: StepRow): string[] {
    const effects = this.effects(eventId, one.id).length;
    const where = `${eventId} ${one.id} (${one.state}, run ${state})`;
    if (one.id !== once || one.state === 'done') return one.state === 'done' && effects === 1 ? [] : [`${where} has ${effects} effects`];
    return one.state === 'parked' && one.reason === 'unknown' && effects <= 1 ? [] : [`${where} has ${effects} effects, dispatch ${one.dispatch}, reason ${one.reason}`];
  }

  /** P4: an open intent stands for each call that began; commands that came too late leave a void one, and those that got no token say so: both are sent again with a right. */
  private async sentTwice(): Promise<readonly string[]> {
    const found = await this.reader.query<{ run_id: string }>(`select run_id from intents i where organisation_id = $1 and step_id = $2 and state = 'open'
       and not exists (select from attempts a where a.organisation_id = i.organisation_id and a.run_id = i.run_id and a.step_id = i.step_id and a.dispatch = i.dispatch and a.code like 'auth.%')
     group by run_id having count(*) > 1`, [this.organisationId, once]);
    return found.map((row) => row.run_id);
  }

  /** P2: a step comes after the ones it follows; ordered effects of one subject come in the order of planning. */
  private overtaken(runs: readonly RunRow[]): string[] {
    const all = this.effects();
    const place = (eventId: string, stepId: string): number => all.findIndex((text) => text.startsWith(textOf(eventId, stepId)));
    const early = runs.filter(({ steps }) => steps.length > 1).filter(({ eventId }) => repeatable.some((id) => place(eventId, id) > place(eventId, 'after'))).map(({ eventId }) => `${eventId}: its last step came before another`);
    const bySubject = Map.groupBy(runs.filter(({ subject }) => subject !== null), ({ subject }) => subject);
    const crossed = [...bySubject.values()].flatMap((same) => same.slice(1).filter(({ eventId }, index) => place(eventId, 'searched') < place(same[index]?.eventId ?? '', 'searched')));
    return [...early, ...crossed.map(({ eventId }) => `${eventId} overtook an earlier event of its subject`)];
  }

  /** Texts of what was made at the provider, in the order in which it was made. */
  private effects(eventId?: string, stepId?: string): readonly string[] {
    const name = this.organisationId.slice(0, 8);
    const texts = this.around.server.effects.filter(({ kind }) => kind === 'created').map(({ body }) => String((body as { readonly text?: unknown }).text));
    return texts.filter((text) => (eventId === undefined || stepId === undefined ? text.startsWith(`Request ${name}-`) : text.startsWith(textOf(eventId, stepId))));
  }
}

function textOf(eventId: string, stepId: string): string {
  return `Request ${eventId}: ${stepId};`;
}

function step(integrationId: string, id: string, action: string, priority: number, rest: Partial<PlannedStep> = {}): PlannedStep {
  const text = { cel: `'Request ' + event.id + ': ${id};'` };
  return { id, name: id, integrationId, provider: fixture.id, action, priority, condition: null, onFailure: 'stop', timeoutMs: 5_000, retry: { attempts: 20, backoffMs: 200, maxBackoffMs: 1_000 }, ordering: 'none', reads: [], input: { text }, ...rest };
}

/** Three at once, one for each way to repeat a write; then one that needs what an earlier one was answered. */
function fourSteps(integrationId: string): readonly PlannedStep[] {
  return [
    step(integrationId, 'keyed', 'write_by_key', 10),
    step(integrationId, 'upserted', 'write_by_upsert', 10),
    step(integrationId, 'searched', 'write_after_search', 10, { ordering: 'subject' }),
    step(integrationId, 'after', 'write_by_upsert', 20, { reads: ['keyed'], input: { text: { cel: `'Request ' + event.id + ': after; ' + steps.keyed.id` } } }),
  ];
}
