import { Connection, signInOf, TokenCache, type Provider, type Send } from '@trunkline/connectors';
import { type GrantTuning, StoredGrant } from '@trunkline/grants';
import { inOrganisations, type Databases, isDatabaseAway, placeOfCredentials } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { CredentialsUnreadable } from './errors.js';
import { IdleEntries } from './idle-entries.js';

/** One integration as this process knows it. */
export interface Integration {
  readonly organisationId: string;
  readonly id: string;
  readonly version: number;
  readonly provider: Provider;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly connection: Connection;
  /** Where a person signed in at the provider. */
  readonly grant?: StoredGrant | null;
}

export type Found = { readonly kind: 'found'; readonly integration: Integration } | { readonly kind: 'gone' } | { readonly kind: 'locked'; readonly version: number; readonly code: string; readonly message: string };

interface Held {
  readonly found: Found;
  readonly version: number | null;
  readonly readAtMs: number;
}

interface Row {
  readonly provider: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly credentials: Buffer | null;
  readonly version: number;
}

/** What is known stays in use this long while the database is away. */
const staleLifeMs = 15 * 60_000;

export interface IntegrationsParts {
  readonly databases: Databases;
  readonly vault: Vault;
  readonly providers: readonly Provider[];
  readonly tokens: TokenCache;
  readonly send: (provider: Provider, integrationId: string) => Send;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly lifeMs: number;
  readonly grantTuning: Partial<GrantTuning>;
}

/** Settings and decrypted credentials, in memory only; read again when old, or after the provider refused them. */
export class Integrations {
  private readonly held = new Map<string, Held>();
  /** Beyond this age nothing held is used any more; decrypted credentials do not stay in memory for longer. */
  private readonly idle = new IdleEntries(this.held, ({ readAtMs }, nowMs) => nowMs - readAtMs > staleLifeMs, (name) => this.parts.tokens.forget(`${name}/`));
  private readonly reading = new Map<string, Promise<Found>>();
  private readonly providers: ReadonlyMap<string, Provider>;

  constructor(private readonly parts: IntegrationsParts) {
    this.providers = new Map(parts.providers.map((provider) => [provider.id, provider]));
  }

  async get(organisationId: string, id: string): Promise<Found> {
    const name = `${organisationId}/${id}`;
    const held = this.held.get(name);
    const ageMs = held === undefined ? Number.POSITIVE_INFINITY : this.parts.monotonicMs() - held.readAtMs;
    if (held !== undefined && ageMs < this.parts.lifeMs) return held.found;
    const reading = this.reading.get(name) ?? this.start(name, organisationId, id);
    if (held === undefined || ageMs > staleLifeMs) return reading;
    return reading.catch(() => held.found);
  }

  get size(): number {
    return this.held.size;
  }

  /** The next command reads it again. */
  forget(organisationId: string, id: string): void {
    const name = `${organisationId}/${id}`;
    const held = this.held.get(name);
    if (held !== undefined) this.held.set(name, { ...held, readAtMs: Number.NEGATIVE_INFINITY });
  }

  private start(name: string, organisationId: string, id: string): Promise<Found> {
    const reading = this.read(name, organisationId, id).finally(() => this.reading.delete(name));
    this.reading.set(name, reading);
    return reading;
  }

  private async read(name: string, organisationId: string, id: string): Promise<Found> {
    const row = await inOrganisations(this.parts.databases, [organisationId], async (client) => {
      const { rows } = await client.query<Row>('select provider, settings, credentials, version from integrations where organisation_id = $1 and id = $2', [organisationId, id]);
      return rows[0];
    });
    const before = this.held.get(name);
    const isSame = before !== undefined && row !== undefined && before.version === row.version && before.found.kind === 'found';
    const found = isSame ? before.found : await this.open(organisationId, id, row);
    this.idle.sweep(this.parts.monotonicMs());
    this.held.set(name, { found, version: row?.version ?? null, readAtMs: this.parts.monotonicMs() });
    return found;
  }

  private async open(organisationId: string, id: string, row: Row | undefined): Promise<Found> {
    const provider = row === undefined ? undefined : this.providers.get(row.provider);
    if (row === undefined || provider === undefined) return { kind: 'gone' };
    let credentials: Readonly<Record<string, unknown>>;
    try {
      credentials = row.credentials === null ? {} : (JSON.parse((await this.parts.vault.open(row.credentials, placeOfCredentials(organisationId, id))).toString('utf8')) as Readonly<Record<string, unknown>>);
    } catch (error) {
      // A database that is away says nothing about the credentials.
      if (isDatabaseAway(error)) throw error;
      // Neither the ciphertext nor the reason belongs into a result; the code says what to do.
      return { kind: 'locked', version: row.version, code: CredentialsUnreadable.code, message: `${CredentialsUnreadable.title} (${error instanceof Error ? error.name : 'unknown'})` };
    }
    // Tokens of older credentials are of no use any more.
    this.parts.tokens.forget(`${organisationId}/${id}/`);
    const { databases, vault, nowMs } = this.parts;
    const send = this.parts.send(provider, id);
    const isGranted = signInOf(provider, row.settings) === 'authorization_code';
    const grant = isGranted ? new StoredGrant({ databases, vault, organisationId, integrationId: id, provider, settings: row.settings, credentials, send, nowMs, tuning: this.parts.grantTuning }) : null;
    const connection = new Connection({
      provider,
      id: `${organisationId}/${id}/${row.version}`,
      settings: row.settings,
      credentials,
      tokens: this.parts.tokens,
      ...(grant && { granted: grant }),
      send,
      nowMs,
    });
    return { kind: 'found', integration: { organisationId, id, version: row.version, provider, settings: row.settings, connection, grant } };
  }
}
