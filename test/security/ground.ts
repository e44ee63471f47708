import { randomUUID } from 'node:crypto';
import { providers, SignInAtProvider, type Provider } from '@trunkline/connectors';
import { topics } from '@trunkline/contracts';
import { createEventLog, createPostgresDriver, type EventLog } from '@trunkline/event-log';
import type { ConnectedParts } from '@trunkline/grants';
import { createIdentity } from '@trunkline/identity';
import { createOutbound, type AddressPolicy, type Outbound, type Resolve } from '@trunkline/outbound';
import { Canary } from '@trunkline/outbound/testing';
import { inTenant, placeOfCredentials, placeOfGrant } from '@trunkline/storage';
import { openTestDatabase, type TestDatabase } from '@trunkline/storage/testing';
import type { Vault } from '@trunkline/vault';
import { newMasterKeys, vaultOf } from '../support/council.js';

export type Values = Readonly<Record<string, unknown>>;

/** A name that leads to this machine, as a name of the internet may. */
export const nameWithin = 'inside.example';

/** Everything that is no address leads to this machine; the names of this machine are asked for as always. */
const resolve: Resolve = (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);

/** One integration that leads where it should not. */
export interface Target {
  readonly provider: Provider;
  readonly settings: Values;
}

/** What a person granted for it. */
export interface Granted {
  readonly accessToken: 'good' | 'expired';
  readonly isKeepAliveDue?: boolean;
}

const credentials = { client_id: 'id', client_secret: 'secret' } as const;

/** A real database with integrations as an attacker would like to have them stored, past every check on saving, and a listener where nobody may arrive. */
export class Ground {
  /** Hosts that the product wanted to call. */
  readonly asked = new Set<string>();
  private readonly outbounds: Outbound[] = [];

  private constructor(
    readonly canary: Canary,
    readonly database: TestDatabase,
    readonly eventLog: EventLog,
    readonly vault: Vault,
    readonly organisationId: string,
  ) {}

  static async open(): Promise<Ground> {
    const canary = new Canary();
    await canary.listen();
    const database = await openTestDatabase();
    const eventLog = createEventLog(createPostgresDriver({ pool: database.databases.log }));
    await eventLog.ensureTopics(topics);
    const { id } = await createIdentity({ databases: database.databases }).createOrganisation({ name: 'Harbour City Council' });
    return new Ground(canary, database, eventLog, vaultOf(database.databases, newMasterKeys()), id);
  }

  async close(): Promise<void> {
    await Promise.all(this.outbounds.map((outbound) => outbound.close()));
    await this.eventLog.close();
    await this.database.close();
    this.canary.close();
  }

  /** The product's own client, its questions noted. */
  outbound(policy: AddressPolicy): Outbound {
    const outbound = createOutbound({ policy, resolve });
    this.outbounds.push(outbound);
    return { request: (request) => (this.asked.add(request.url.host), outbound.request(request)), close: () => outbound.close() };
  }

  partsOf({ provider, settings }: Target, integrationId: string, outbound: Outbound): ConnectedParts {
    return { organisationId: this.organisationId, integrationId, version: 1, provider, settings, credentials, send: (request) => outbound.request(request), nowMs: Date.now };
  }

  /** Stores them as they are. */
  async integrations(targets: readonly Target[], granted: Granted | null = null): Promise<readonly string[]> {
    const { vault, organisationId } = this;
    const rows = await Promise.all(targets.map(async (target) => {
      const id = randomUUID();
      return { target, id, sealed: await vault.seal(JSON.stringify(credentials), placeOfCredentials(organisationId, id)), tokens: granted === null ? null : await this.tokens(target, id) };
    }));
    await inTenant(this.database.databases, organisationId, async (client) => {
      for (const { target, id, sealed, tokens } of rows) {
        const settings = { ...target.settings, ...(granted === null ? {} : { sign_in: 'authorization_code' }) };
        await client.query('insert into integrations (organisation_id, id, provider, name, settings, credentials) values ($1, $2, $3, $3, $4, $5)', [organisationId, id, target.provider.id, JSON.stringify(settings), sealed]);
        if (granted === null) continue;
        await client.query(
          `insert into grants (organisation_id, integration_id, provider, state, tokens, expires_at, keep_alive_at, connected_by, refreshed_at)
           values ($1, $2, $3, 'connected', $4, now() + make_interval(secs => $5), now() + make_interval(secs => $6), 'user:spec', now() - interval '1 hour')`,
          [organisationId, id, target.provider.id, tokens, granted.accessToken === 'good' ? 36_000 : -60, granted.isKeepAliveDue === true ? -60 : 86_400],
        );
      }
    });
    return rows.map(({ id }) => id);
  }

  /** Granted for exactly the places that the settings name. */
  private tokens(target: Target, id: string): Promise<Buffer> {
    return this.vault.seal(JSON.stringify({ answer: { access_token: 'access', refresh_token: 'refresh' }, instanceUrl: null, places: placesOf(target) }), placeOfGrant(this.organisationId, id));
  }
}

function placesOf({ provider, settings }: Target): readonly string[] {
  try {
    return new SignInAtProvider({ provider, settings, credentials, send: () => Promise.reject(new Error('nothing to send')), nowMs: Date.now }).places();
  } catch {
    // What is no address has no place.
    return [];
  }
}

export function providerOf(id: string): Provider {
  const provider = providers.find((one) => one.id === id);
  if (provider === undefined) throw new Error(`no provider ${id}`);
  return provider;
}
