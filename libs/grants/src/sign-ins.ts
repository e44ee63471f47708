import { createHash, randomBytes } from 'node:crypto';
import { ForeignInstance, type GrantAnswer, type IssuedTokens, SignInAtProvider, type SignInParts, signInOf, signInSetting } from '@trunkline/connectors';
import { startDeadline } from '@trunkline/outbound';
import { type Databases, inTenant, placeOfGrant, placeOfSignIn } from '@trunkline/storage';
import type { Vault } from '@trunkline/vault';
import { InstanceForeign, NobodySignsIn, SignInRefused, SignInStale, SignInUnanswered, SignInUnknown } from './errors.js';
import { type AlongWithGrant, type GrantStanding, standing } from './grant-change.js';
import { type GrantTokens, merged } from './tokens.js';

const lifeMs = 10 * 60_000;
const endpointMs = 15_000;

/** An integration as it stands now, with what a conversation with its provider needs. */
export interface ConnectedParts extends SignInParts {
  readonly organisationId: string;
  readonly integrationId: string;
  /** Endpoints, client and secret are those of this version, or the sign-in is refused. */
  readonly version: number;
}

export interface SignInWishes {
  /** Who began it, as the audit trail names them. */
  readonly startedBy: string;
  /** The browser's session that may finish it; null: it began outside a browser and is confirmed there. */
  readonly sessionId: string | null;
  readonly redirectUri: string;
}

/** A sign-in whose browser has come back. It is gone from the database: what happens now, happens once. */
export interface SignIn {
  readonly organisationId: string;
  readonly integrationId: string;
  readonly integrationVersion: number;
  readonly provider: string;
  readonly startedBy: string;
  readonly sessionId: string | null;
  readonly redirectUri: string;
  readonly secrets: Secrets;
}

interface Secrets {
  readonly state: string;
  readonly verifier: string;
  /** What the browser brought back, where it waits to be confirmed. */
  readonly query?: string;
}

interface Row extends Omit<SignIn, 'secrets'> {
  readonly stateSha256: Buffer;
  readonly secrets: Buffer;
}

const columns = `organisation_id as "organisationId", state_sha256 as "stateSha256", integration_id as "integrationId", integration_version as "integrationVersion", provider, started_by as "startedBy", session_id as "sessionId", redirect_uri as "redirectUri", secrets`;

/** Sign-ins at providers from the first click to the stored grant. State and verifier are made and kept here; of the state only its hash is stored, and it is good once, for ten minutes. */
export class SignIns {
  constructor(
    private readonly databases: Pick<Databases, 'tenant'>,
    private readonly vault: Pick<Vault, 'seal' | 'open'>,
  ) {}

  async begin(integration: ConnectedParts, { startedBy, sessionId, redirectUri }: SignInWishes): Promise<{ readonly url: URL; readonly expiresAt: Date }> {
    const { organisationId, integrationId, provider, version } = integration;
    if (signInOf(provider, { [signInSetting]: 'authorization_code' }) !== 'authorization_code') throw NobodySignsIn.because(provider.name);
    // Names its organisation, so that its row can be looked for where only that organisation's rows are seen.
    const state = `${organisationId.replaceAll('-', '')}.${randomBytes(32).toString('base64url')}`;
    const { url, verifier } = await new SignInAtProvider(integration).begin(redirectUri, state);
    const sealed = await this.seal(organisationId, sha256(state), { state, verifier });
    const { rows } = await inTenant(this.databases, organisationId, async (client) => {
      await client.query('delete from sign_ins where organisation_id = $1 and expires_at < clock_timestamp()', [organisationId]);
      return client.query<{ expires_at: Date }>(
        `insert into sign_ins (organisation_id, state_sha256, integration_id, integration_version, provider, started_by, session_id, redirect_uri, secrets, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp() + make_interval(secs => $10::float8 / 1000)) returning expires_at`,
        [organisationId, sha256(state), integrationId, version, provider.id, startedBy, sessionId, redirectUri, sealed, lifeMs],
      );
    });
    return { url, expiresAt: rows[0]?.expires_at ?? new Date(0) };
  }

  /** The row is gone before its content is used: a state that comes twice is unknown. */
  async take(state: string, provider: string): Promise<SignIn> {
    const organisationId = organisationIn(state);
    if (organisationId === null) throw SignInUnknown.because('the answer carries no state of ours');
    const row = await this.removed(organisationId, 'state_sha256 = $2', [sha256(state)]);
    if (row === undefined || row.provider !== provider) throw SignInUnknown.because('its state is not known, or was used already');
    return row;
  }

  /** For those who began outside a browser: the answer waits until they confirm that the browser was theirs, by the code it is shown. */
  async awaitConfirmation(signIn: SignIn, query: URLSearchParams): Promise<string> {
    const { organisationId } = signIn;
    const code = confirmationCode();
    const id = randomBytes(32);
    const sealed = await this.seal(organisationId, id, { ...signIn.secrets, query: query.toString() });
    await inTenant(this.databases, organisationId, (client) =>
      client.query(
        `insert into sign_ins (organisation_id, state_sha256, integration_id, integration_version, provider, started_by, session_id, redirect_uri, secrets, confirmation_sha256, expires_at)
         values ($1, $2, $3, $4, $5, $6, null, $7, $8, $9, clock_timestamp() + make_interval(secs => $10::float8 / 1000))`,
        [organisationId, id, signIn.integrationId, signIn.integrationVersion, signIn.provider, signIn.startedBy, signIn.redirectUri, sealed, sha256(code), lifeMs],
      ),
    );
    return code;
  }

  async confirmed(organisationId: string, integrationId: string, startedBy: string, code: string): Promise<{ readonly signIn: SignIn; readonly query: URLSearchParams }> {
    const signIn = await this.removed(organisationId, 'integration_id = $2 and started_by = $3 and confirmation_sha256 = $4', [integrationId, startedBy, sha256(code.trim().toUpperCase())]);
    if (signIn?.secrets.query === undefined) throw SignInUnknown.because('no sign-in of yours waits for this code');
    return { signIn, query: new URLSearchParams(signIn.secrets.query) };
  }

  /** Exchanges the code at the endpoint that the stored settings name, and stores what comes. */
  async finish(signIn: SignIn, query: URLSearchParams, integration: ConnectedParts, isReachable: (address: URL) => Promise<boolean>, along?: AlongWithGrant): Promise<void> {
    if (signIn.integrationVersion !== integration.version || signIn.integrationId !== integration.integrationId) throw SignInStale.because(`${integration.provider.name} was saved by somebody meanwhile`);
    const conversation = new SignInAtProvider(integration);
    const answer = await conversation.finish(signIn.redirectUri, query, signIn.secrets, startDeadline(endpointMs)).catch((error: unknown) => {
      throw SignInRefused.from(error, whyRefused(error));
    });
    if (answer.kind === 'none') throw refusalOf(answer);
    const instanceUrl = await checkedInstance(conversation, answer.tokens, isReachable);
    await this.store(signIn, integration, merged({ instanceUrl: null, places: conversation.places() }, answer.tokens, instanceUrl), answer.tokens.lifeMs, along);
  }

  private async store(signIn: SignIn, { organisationId, integrationId, provider, version }: ConnectedParts, tokens: GrantTokens, tokenLifeMs: number | null, along: AlongWithGrant | undefined): Promise<void> {
    const sealed = await this.vault.seal(JSON.stringify(tokens), placeOfGrant(organisationId, integrationId));
    const keepAliveMs = provider.auth.kind === 'oauth2' ? (provider.auth.authorizationCode?.keepAliveMs ?? null) : null;
    await inTenant(this.databases, organisationId, async (client) => {
      // The grant's row first, as everywhere: whoever refreshes it holds that one when it asks for the integration's.
      const { rows: before } = await client.query<GrantStanding>(`select ${standing} from grants where organisation_id = $1 and integration_id = $2 for update`, [organisationId, integrationId]);
      await client.query(
        `insert into grants as g (organisation_id, integration_id, provider, state, tokens, expires_at, keep_alive_at, connected_by)
         values ($1, $2, $3, 'connected', $4, clock_timestamp() + make_interval(secs => $5::float8 / 1000), clock_timestamp() + make_interval(secs => $6::float8 / 1000), $7)
         on conflict (organisation_id, integration_id) do update set provider = excluded.provider, state = 'connected', reason = null, tokens = excluded.tokens, version = g.version + 1,
           expires_at = excluded.expires_at, keep_alive_at = excluded.keep_alive_at, refreshing_by = null, refreshing_until = null, unfinished = 0,
           connected_by = excluded.connected_by, connected_at = clock_timestamp(), refreshed_at = clock_timestamp()`,
        [organisationId, integrationId, provider.id, sealed, tokenLifeMs, keepAliveMs, signIn.startedBy],
      );
      // A new version: workers read it within seconds, and its gate opens if it waited for somebody to reconnect.
      const { rowCount } = await client.query(
        'update integrations set settings = settings || $4::jsonb, version = version + 1, updated_at = clock_timestamp() where organisation_id = $1 and id = $2 and version = $3',
        [organisationId, integrationId, version, JSON.stringify({ [signInSetting]: 'authorization_code' })],
      );
      if (rowCount !== 1) throw SignInStale.because(`${provider.name} was saved by somebody meanwhile`);
      await along?.(client, before[0] ?? null, { state: 'connected', reason: null, connectedBy: signIn.startedBy });
    });
  }

  private async removed(organisationId: string, where: string, values: readonly unknown[]): Promise<SignIn | undefined> {
    const { rows } = await inTenant(this.databases, organisationId, (client) => client.query<Row & { readonly is_late: boolean }>(`delete from sign_ins where organisation_id = $1 and ${where} returning ${columns}, expires_at <= clock_timestamp() as is_late`, [organisationId, ...values]));
    const [row] = rows;
    if (row === undefined || row.is_late) return undefined;
    const opened = await this.vault.open(row.secrets, placeOfSignIn(organisationId, row.stateSha256));
    return { ...row, secrets: JSON.parse(opened.toString('utf8')) as Secrets };
  }

  private seal(organisationId: string, id: Buffer, secrets: Secrets): Promise<Buffer> {
    return this.vault.seal(JSON.stringify(secrets), placeOfSignIn(organisationId, id));
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function organisationIn(state: string): string | null {
  const [, a, b, c, d, e] = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})\.[A-Za-z0-9_-]{43}$/.exec(state) ?? [];
  return e === undefined ? null : [a, b, c, d, e].join('-');
}

/** 60 bits in letters and digits that are not mistaken for one another (Crockford's base 32). */
function confirmationCode(): string {
  const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  const drawn = [...randomBytes(12)].map((byte) => letters[byte % 32] ?? '');
  return [drawn.slice(0, 4), drawn.slice(4, 8), drawn.slice(8)].map((part) => part.join('')).join('-');
}

async function checkedInstance(conversation: SignInAtProvider, { fields }: IssuedTokens, isReachable: (address: URL) => Promise<boolean>): Promise<string | null> {
  let named: string | null;
  try {
    named = conversation.instanceUrlIn(fields);
  } catch (error) {
    if (error instanceof ForeignInstance) throw InstanceForeign.from(error, error.message);
    throw error;
  }
  if (named !== null && !(await isReachable(new URL(named)))) throw InstanceForeign.because('the outbound policy does not allow the address');
  return named;
}

function refusalOf({ failure }: Extract<GrantAnswer, { kind: 'none' }>): Error {
  const said = `${failure.code.replace(/^auth\./, '')}: ${failure.message}`;
  return failure.class === 'auth' ? SignInRefused.because(said) : SignInUnanswered.because(said);
}

/** The provider's own `error` (RFC 6749 §4.1.2.1) in its own words, bounded; what openid-client found wrong with the callback otherwise. */
function whyRefused(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'its answer was not accepted';
  const { error: code, error_description: description } = error as { readonly error?: unknown; readonly error_description?: unknown };
  if (typeof code !== 'string') return 'its answer was not accepted: it is not an answer to this sign-in, or not from this provider';
  return `${code}${typeof description === 'string' ? `: ${description}` : ''}`.replaceAll(/[^\u0020-\u007e\u00a0-\uffff]+/g, ' ').slice(0, 300);
}
