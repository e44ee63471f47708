import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createPeople } from '@trunkline/identity';
import { inTenant, placeOfGrant, placeOfSignIn } from '@trunkline/storage';
import type { Council } from './council.js';
import { vaultOf } from './council.js';
import type { Answer } from './gateway-client.js';
import { councilEvent } from './service-requests.js';
import type { System } from './system.js';

/** An answer, and what it is there to show, once. */
export interface KeptAnswer {
  readonly text: string;
  readonly mayShow: readonly string[];
}

/** Every kind of secret that people, keys and providers bring into a running platform, made by using it, and remembered here to be looked for. */
export class SecretsOfARun {
  /** By what they are. */
  readonly made = new Map<string, string>();
  readonly answers: KeptAnswer[] = [];
  private readonly created = (message: unknown): void => this.noteSent((message as { readonly request: { readonly headers: unknown; readonly origin: unknown } }).request);

  constructor(
    private readonly system: System,
    private readonly council: Council,
  ) {}

  /** Notes each access token that goes to a provider, from now on. */
  listen(): void {
    subscribe('undici:request:create', this.created);
  }

  stop(): void {
    unsubscribe('undici:request:create', this.created);
  }

  async make(): Promise<void> {
    const owner = await this.people();
    await this.keys(owner);
    await this.signIns(owner);
  }

  private note(what: string, value: unknown): string {
    if (typeof value !== 'string' || value.length < 8) throw new Error(`no ${what} came: ${String(value)}`);
    this.made.set(what, value);
    return value;
  }

  private keep(answer: Answer, ...mayShow: readonly string[]): Answer {
    this.answers.push({ text: `${answer.text}\n${JSON.stringify([...answer.headers])}`, mayShow });
    return answer;
  }

  private noteSent({ headers, origin }: { readonly headers: unknown; readonly origin: unknown }): void {
    const isProvider = Object.values(this.system.providers).some(({ url }) => url === String(origin));
    const token = isProvider ? /Bearer ([^"\\\s,]+)/.exec(JSON.stringify(headers))?.[1] : undefined;
    if (token !== undefined) this.made.set(`access token sent to ${String(origin)}, ${token.slice(-6)}`, token);
  }

  private async ask(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const answer = await fetch(new URL(path, this.system.client(this.council).url), { method, redirect: 'manual', headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers }, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, text, json: (text.startsWith('{') ? JSON.parse(text) : {}) as Answer['json'] };
  }

  private sessionIn(what: string, answer: Answer): string {
    const cookie = answer.headers.getSetCookie().find((one) => one.startsWith('trunkline_session='))?.split(';')[0] ?? '';
    this.note(`session of ${what}`, cookie.split('=')[1]);
    return cookie;
  }

  private async signedIn(what: string, answer: Answer): Promise<Readonly<Record<string, string>>> {
    const cookie = this.sessionIn(what, answer);
    const csrf = this.note(`csrf token of ${what}`, answer.json['csrf_token']);
    this.keep(answer, cookie.split('=')[1] ?? '', csrf);
    this.keep(await this.ask('GET', '/api/session', undefined, { cookie }), csrf);
    return { cookie, 'x-csrf-token': csrf };
  }

  /** Set-up, invitations, passwords right and wrong. */
  private async people(): Promise<Readonly<Record<string, string>>> {
    const token = this.note('set-up token', await createPeople({ databases: this.system.database.databases }).setup.offer());
    const password = this.note('password', `the owner’s pass phrase ${crypto.randomUUID()}`);
    const person = { name: 'First', email: 'first@example.org', password };
    this.keep(await this.ask('POST', '/api/setup', { token: `${token.slice(0, -1)}x`, organisation_id: this.council.organisationId, ...person }));
    const owner = await this.signedIn('the owner', await this.ask('POST', '/api/setup', { token, organisation_id: this.council.organisationId, ...person }));
    this.keep(await this.ask('POST', '/api/setup', { token, organisation_id: this.council.organisationId, ...person }));

    const invite = async (email: string): Promise<string> => {
      const asked = await this.ask('POST', '/api/invitations', { email, role: 'admin' }, owner);
      const invitation = this.note(`invitation of ${email}`, asked.json['token']);
      this.keep(asked, invitation);
      return invitation;
    };
    await invite('waiting@example.org');
    const invitation = await invite('second@example.org');
    const first = this.note('first password', `a first pass phrase ${crypto.randomUUID()}`);
    const second = await this.signedIn('the second', await this.ask('POST', '/api/invitations/accept', { token: invitation, name: 'Second', password: first }));
    this.keep(await this.ask('POST', '/api/invitations/accept', { token: invitation, name: 'Second', password: first }));
    this.keep(await this.ask('POST', '/api/session', { email: 'second@example.org', password: this.note('mistyped password', `mistyped pass phrase ${crypto.randomUUID()}`) }));
    const next = this.note('next password', `the next pass phrase ${crypto.randomUUID()}`);
    await this.signedIn('the second, with the next password', await this.ask('PUT', '/api/session/password', { current_password: first, new_password: next }, second));
    for (const path of ['/api/people', '/api/invitations', '/api/session/all', '/api/organisation']) this.keep(await this.ask('GET', path, undefined, owner));
    return owner;
  }

  private async keys(owner: Readonly<Record<string, string>>): Promise<void> {
    const made = await this.ask('POST', '/api/keys', { name: 'website', scopes: ['publish', 'read'] }, owner);
    const key = this.note('API key', made.json['api_key']);
    this.keep(made, key);
    const rotated = await this.ask('POST', `/api/keys/${String(made.json['id'])}/rotate`, { overlap_seconds: 60 }, owner);
    this.keep(rotated, this.note('rotated API key', rotated.json['api_key']));
    for (const path of ['/api/keys', '/api/audit', '/api/runs', `/api/runs?api_key=${encodeURIComponent(key)}`]) {
      this.keep(await this.ask('GET', path, undefined, owner));
      this.keep(await this.ask('GET', path, undefined, { authorization: `Bearer ${key}` }));
      this.keep(await this.ask('GET', path, undefined, { 'x-api-key': `${key.slice(0, -1)}x` }));
    }
  }

  /** A person connects Salesforce, by a browser and by a key; work goes out with the token, which is refreshed; one sign-in is left waiting. */
  private async signIns(owner: Readonly<Record<string, string>>): Promise<void> {
    const { system, council } = this;
    const path = `/api/integrations/${council.integrations.salesforce}`;
    const vault = vaultOf(system.database.databases, system.masterKeys);
    const atProvider = async (what: string, begun: Answer): Promise<URL> => {
      const sent = await fetch(String(begun.json['authorization_url']), { redirect: 'manual' });
      const back = new URL(sent.headers.get('location') ?? '');
      const state = this.note(`state of ${what}`, back.searchParams.get('state'));
      this.note(`authorization code of ${what}`, back.searchParams.get('code'));
      this.keep(begun, state);
      return back;
    };
    const back = await atProvider('the browser', await this.ask('POST', `${path}/connect`, {}, owner));
    for (let times = 0; times < 2; times += 1) this.keep(await this.ask('GET', back.pathname + back.search, undefined, { cookie: owner['cookie'] ?? '' }));
    await this.noteTokens(vault, 'the browser');
    await system.untilState((await system.client(council).publishSurely([councilEvent('granted-1')])).values(), 'done');
    await system.providers.salesforce.control('POST', '/expire-tokens');
    await system.untilState((await system.client(council).publishSurely([councilEvent('refreshed-1')])).values(), 'done');
    await this.noteTokens(vault, 'the refresh');

    const byKey = { authorization: `Bearer ${council.apiKey}` };
    const other = await atProvider('the key', await this.ask('POST', `${path}/connect`, {}, byKey));
    const page = await this.ask('GET', other.pathname + other.search);
    const code = this.note('confirmation code', /[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)?.[0]);
    this.keep(page, code);
    this.keep(await this.ask('POST', `${path}/connect/confirm`, { code }, byKey));
    await this.noteTokens(vault, 'the key');
    this.keep(await this.ask('GET', path, undefined, owner));
    await atProvider('who is still there', await this.ask('POST', `${path}/connect`, {}, owner));
    const rows = await system.reader.query<{ state_sha256: Buffer; secrets: Buffer }>('select state_sha256, secrets from sign_ins');
    for (const { state_sha256: hash, secrets } of rows) this.note(`verifier of a sign-in, ${rows.length}`, (JSON.parse((await vault.open(secrets, placeOfSignIn(council.organisationId, hash))).toString()) as { readonly verifier: string }).verifier);
  }

  private async noteTokens(vault: ReturnType<typeof vaultOf>, what: string): Promise<void> {
    const { organisationId, integrations } = this.council;
    const { rows } = await inTenant(this.system.database.databases, organisationId, (client) => client.query<{ tokens: Buffer }>('select tokens from grants where integration_id = $1', [integrations.salesforce]));
    const { answer } = JSON.parse((await vault.open(rows[0]?.tokens ?? Buffer.alloc(0), placeOfGrant(organisationId, integrations.salesforce))).toString()) as { readonly answer: Readonly<Record<string, unknown>> };
    this.note(`access token of ${what}`, answer['access_token']);
    this.note(`refresh token of ${what}`, answer['refresh_token']);
  }
}
