import { checkOver } from '@trunkline/app-gateway/testing';
import { commandTopicOf, encodeCommand, type Command } from '@trunkline/contracts';
import { disconnect, grantToGiveBack, SignIns } from '@trunkline/grants';
import type { Outbound } from '@trunkline/outbound';
import { openDatabases } from '@trunkline/storage';
import { createWorker, type WorkerOptions } from '@trunkline/worker';
import { type Granted, type Ground, providerOf, type Target, type Values } from './ground.js';

/** One place in the product from which a call goes to an address that a customer sets, and how it is come by. */
export interface WayOut {
  /** Settings that decide where it goes: `provider.field`, or `provider.field+sub` where the address is a name below the setting. Where several take the same way, one address and one name of them. */
  readonly fields: readonly string[];
  readonly granted?: Granted;
  readonly go: (ground: Ground, outbound: Outbound, targets: readonly Target[], ids: readonly string[]) => Promise<void>;
}

const inputs: Readonly<Record<string, readonly [action: string, input: Values]>> = {
  genesys: ['log_conversation', { contact_reference: 'one', text: 'hello' }],
  salesforce: ['push_summary', { subject: 'hello', job_number: '1' }],
  techone: ['create_job', { description: 'hello' }],
};

/** Through the worker's own door: one command for each integration. */
const byWorker = (kind: Command['kind']): WayOut['go'] => async (ground, outbound, targets, ids) => {
  let offset = 0n;
  for (const providerId of new Set(targets.map(({ provider }) => provider.id))) {
    const provider = providerOf(providerId);
    const [action, input] = inputs[providerId] ?? ['', {}];
    const worker = createWorker({ ...partsOf(ground, outbound), family: provider.family, providers: [provider] });
    await worker.start();
    const own = ids.filter((_, index) => targets[index]?.provider === provider);
    await eachOf(own, async (integrationId) => {
      const command: Command = { kind, organisationId: ground.organisationId, runId: crypto.randomUUID(), stepId: 'step', dispatch: 1, effectKey: crypto.randomUUID().replaceAll('-', ''), integrationId, provider: providerId, action, orderingKey: null, startBeforeMs: Date.now() + 60_000, deadlineMs: 5_000, firstDispatchedAtMs: Date.now(), input: Buffer.from(JSON.stringify(input)), traceparent: null };
      await worker.handleRecord({ topic: commandTopicOf(provider.family), partition: 0, offset: (offset += 1n), appendedAtMs: Date.now(), ...encodeCommand(command) });
    });
    await worker.stop(5_000);
  }
};

/** The worker finds them by itself; on connections of its own, so that a look which was under way when it was stopped finds nothing that is stored afterwards, for another one. */
async function byKeepAlive(ground: Ground, outbound: Outbound, targets: readonly Target[]): Promise<void> {
  const owner = ground.database.databases.system;
  const databases = openDatabases(ground.database.url, { connectTimeoutMs: 30_000 });
  const worker = createWorker({ ...partsOf(ground, outbound), databases, family: 'crm', providers: targets.map(({ provider }) => provider), tuning: { keepAliveMs: 10 } });
  await worker.start();
  try {
    await until(async () => {
      const client = await owner.connect();
      try {
        await client.query('begin');
        await client.query(`select set_config('app.org_ids', $1, true)`, [ground.organisationId]);
        const { rowCount } = await client.query('select from grants where keep_alive_at <= now()');
        return rowCount === 0;
      } finally {
        await client.query('rollback');
        client.release();
      }
    });
  } finally {
    await worker.stop(5_000);
    await databases.close();
  }
}

const eachTarget = (work: (ground: Ground, outbound: Outbound, target: Target, id: string) => Promise<unknown>): WayOut['go'] => (ground, outbound, targets, ids) =>
  eachOf(targets.map((target, index) => ({ target, id: ids[index] ?? '' })), async ({ target, id }) => {
    // How it ends is for other specs to say; here it counts where it went.
    await work(ground, outbound, target, id).catch(() => undefined);
  });

const granted = { accessToken: 'good' } as const;

/** All of them. `callers` below says which of these lines of the product each one passes. */
export const waysOut = {
  'a test of the connection, with a granted token': {
    fields: ['genesys.api_url', 'genesys.region+api', 'salesforce.instance_url'],
    granted,
    go: eachTarget(({ organisationId, database, vault }, outbound, { provider, settings }, integrationId) => checkOver(outbound, database.databases, vault)({ organisationId, integrationId, provider: provider.id, settings: { ...settings, sign_in: 'authorization_code' }, credentials: { client_id: 'id', client_secret: 'secret' } })),
  },
  'a test of the connection, with the client’s own token': {
    fields: ['genesys.login_url', 'genesys.region+login', 'techone.base_url'],
    go: eachTarget(({ organisationId, database, vault }, outbound, { provider, settings }, integrationId) => checkOver(outbound, database.databases, vault)({ organisationId, integrationId, provider: provider.id, settings, credentials: { client_id: 'id', client_secret: 'secret' } })),
  },
  'a worker that writes, with the client’s own token': { fields: ['genesys.region+login', 'salesforce.instance_url', 'techone.base_url'], go: byWorker('execute') },
  'a worker that writes, with a granted token': { fields: ['genesys.region+api', 'salesforce.instance_url'], granted, go: byWorker('execute') },
  'a worker that looks for what was written': { fields: ['genesys.api_url'], granted, go: byWorker('settle') },
  'a worker that refreshes a token': { fields: ['genesys.login_url', 'salesforce.instance_url'], granted: { accessToken: 'expired' }, go: byWorker('execute') },
  'a worker that keeps a grant alive': { fields: ['salesforce.instance_url'], granted: { accessToken: 'expired', isKeepAliveDue: true }, go: byKeepAlive },
  'the exchange of a code': {
    fields: ['genesys.login_url', 'genesys.api_url', 'genesys.region+login', 'salesforce.instance_url'],
    go: eachTarget((ground, outbound, target, id) => {
      const begun = { organisationId: ground.organisationId, integrationId: id, integrationVersion: 1, provider: target.provider.id, startedBy: 'user:spec', sessionId: null, redirectUri: 'https://trunkline.example/oauth/callback/x', secrets: { state: 's', verifier: 'v'.repeat(43) } };
      return new SignIns(ground.database.databases, ground.vault).finish(begun, new URLSearchParams({ code: 'any', state: 's' }), ground.partsOf(target, id, outbound), () => Promise.resolve(true));
    }),
  },
  'a grant that is given back': {
    fields: ['salesforce.instance_url'],
    granted,
    go: eachTarget((ground, outbound, target, id) => disconnect({ databases: ground.database.databases, vault: ground.vault }, ground.partsOf(target, id, outbound))),
  },
  'a grant that is given back when its integration is deleted': {
    fields: ['salesforce.instance_url'],
    granted,
    go: eachTarget(async (ground, outbound, target, id) => (await grantToGiveBack({ databases: ground.database.databases, vault: ground.vault }, ground.organisationId, id))?.(ground.partsOf(target, id, outbound))),
  },
} as const satisfies Readonly<Record<string, WayOut>>;

/** Has a spec of its own: the address is the provider's to name. */
export const askingWhereAnAddressStands = 'the look at an address that a provider’s answer names';

type Way = keyof typeof waysOut | typeof askingWhereAnAddressStands;
const signingIn = ['the exchange of a code', 'a grant that is given back', 'a grant that is given back when its integration is deleted', askingWhereAnAddressStands] as const;
const testing = ['a test of the connection, with a granted token', 'a test of the connection, with the client’s own token'] as const;
const working = ['a worker that writes, with the client’s own token', 'a worker that writes, with a granted token', 'a worker that looks for what was written', 'a worker that refreshes a token', 'a worker that keeps a grant alive'] as const;

/** Each file of the product that makes or uses a way out: how many lines of it do, and the ways that pass them. A line that is in no file here is a way that nobody has tried. */
export const callers: Readonly<Record<string, readonly [lines: number, passedBy: readonly Way[]]>> = {
  'apps/gateway/src/control/connecting/connecting.ts': [2, signingIn],
  'apps/gateway/src/control/integrations/check-connection.ts': [2, testing],
  'apps/gateway/src/start-gateway.ts': [1, [...signingIn, ...testing]],
  'libs/grants/src/disconnect.ts': [1, ['a grant that is given back', 'a grant that is given back when its integration is deleted']],
  'libs/grants/src/sign-ins.ts': [2, ['the exchange of a code']],
  'libs/grants/src/stored-grant.ts': [2, ['a worker that refreshes a token', 'a worker that keeps a grant alive']],
  'libs/outbound/src/outbound.ts': [1, [...signingIn, ...testing, ...working]],
  'libs/service/src/outbound-config.ts': [2, [...signingIn, ...testing, ...working]],
  'libs/worker/src/integrations.ts': [1, working],
  'libs/worker/src/start-connector.ts': [1, working],
  'libs/worker/src/worker.ts': [3, working],
};

export const callOfAWayOut = /outbound\.request\b|new SignInAtProvider\(|new Connection\(|\bcreateOutbound\(|\bopenOutbound\(/;

function partsOf({ database, eventLog, vault }: Ground, outbound: Outbound): Omit<WorkerOptions, 'family' | 'providers'> {
  return { databases: database.databases, eventLog, vault, outbound, workerId: 'spec', tuning: { handOverMs: 20_000, budgetWaitMs: 20_000, grants: { restMs: 50 } } };
}

/** A few at a time, as in the product. */
async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  }));
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('the condition never came true');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
