import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createHmac, createSign, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { type OpenIdProvider, OpenIdSignIn, type Role, permissionsOfRole } from '@trunkline/identity';
import { type TestAnswer, type TestGateway, startTestGateway } from '../testing/test-gateway.js';

jest.setTimeout(120_000);

const clientId = 'trunkline';
const clientSecret = 'a secret of at least thirty-two characters';

/** The gateway's address is known before it is started, as it is in production. */
const site = 'http://localhost:18431';
const callback = `${site}/api/session/openid/callback`;

describe('signing in with an OpenID provider', () => {
  let gateway: TestGateway;
  let openId: OpenIdSignIn | null = null;

  beforeAll(async () => {
    // Made after the gateway, whose people it needs: the wiring sees it through this door.
    const door = { start: (...words: Parameters<OpenIdSignIn['start']>) => openId?.start(...words), finish: (...words: Parameters<OpenIdSignIn['finish']>) => openId?.finish(...words) } as unknown as OpenIdSignIn;
    gateway = await startTestGateway({ openId: door, publicUrl: site });
  }, 120_000);
  afterAll(() => gateway.close());
  afterEach(() => expect(gateway.bugs).toEqual([]));

  const use = (provider: OpenIdProvider): void => {
    openId = new OpenIdSignIn(provider, gateway.database.databases, gateway.people.accounts, gateway.people.invitations);
  };
  const send = (method: string, path: string, body?: unknown, cookie?: string): Promise<TestAnswer> => gateway.send(method, path, body, { authorization: undefined, cookie });
  const cookieNamed = (answer: TestAnswer, name: string): string => answer.headers.getSetCookie().find((one) => one.startsWith(`${name}=`))?.split(';')[0] ?? '';

  async function invitationFor(email: string, role: Role = 'data_ops'): Promise<string> {
    const actor = { kind: 'user', userId: randomUUID(), sessionId: randomUUID(), organisationId: gateway.organisationId, address: '', permissions: permissionsOfRole.owner } as const;
    return (await gateway.people.invitations.invite(actor, { email, role })).token;
  }

  describe('that is real', () => {
    let provider: ChildProcess;

    beforeAll(async () => {
      provider = spawn(process.execPath, [join(__dirname, '../../../../libs/identity/src/testing/openid-provider.mjs'), clientId, clientSecret, callback], { stdio: ['pipe', 'pipe', 'ignore'] });
      const line = await new Promise<string>((resolve) => provider.stdout?.once('data', (data: Buffer) => resolve(data.toString())));
      use({ ...(JSON.parse(line) as { issuer: string }), clientId, clientSecret, algorithm: 'RS256' });
    }, 120_000);
    afterAll(() => provider.kill());

    it('takes who is invited and confirmed, and knows them again without an invitation', async () => {
      const name = `ada-${randomUUID()}`;
      const first = await signIn(name, { invitation: await invitationFor(`${name}@example.org`), return_to: '/runs?state=parked' });
      expect([first.status, first.headers.get('location')]).toEqual([303, '/runs?state=parked']);
      const session = cookieNamed(first, 'trunkline_session');
      expect((await send('GET', '/api/session', undefined, session)).body).toMatchObject({ user: { email: `${name}@example.org`, name: `Person ${name}`, has_password: false }, role: 'data_ops' });
      const again = await signIn(name, {});
      expect(again.status).toBe(303);
      expect((await send('GET', '/api/session', undefined, cookieNamed(again, 'trunkline_session'))).body).toMatchObject({ role: 'data_ops' });
      const trail = (await gateway.send('GET', '/api/audit?limit=2')).body['entries'];
      expect(trail).toMatchObject([{ action: 'session:sign-in', outcome: 'done', after: { method: 'openid' } }, { action: 'invitations:accept', outcome: 'done', after: { method: 'openid', role: 'data_ops' } }]);
      expect(JSON.stringify(trail)).not.toContain(session.split('=')[1]);
    }, 180_000);

    it('takes nobody who is not invited, not confirmed, or not the one invited', async () => {
      expect((await signIn(`eve-${randomUUID()}`, {})).body).toMatchObject({ status: 401, code: 'identity.openid_refused' });
      const name = `unconfirmed-${randomUUID()}`;
      expect((await signIn(name, { invitation: await invitationFor(`${name}@example.org`) })).body).toMatchObject({ status: 403, code: 'identity.invitation_other' });
      expect((await signIn(`eve-${randomUUID()}`, { invitation: await invitationFor(`${randomUUID()}@example.org`) })).body).toMatchObject({ status: 403, code: 'identity.invitation_other' });
    }, 180_000);

    it('takes an answer once, in the browser that started, and for its own state', async () => {
      const name = `bob-${randomUUID()}`;
      const started = await send('POST', '/api/session/openid', { invitation: await invitationFor(`${name}@example.org`) });
      const arrived = await atProvider(String(started.body['url']), name);
      const other = await send('POST', '/api/session/openid', {});
      expect((await send('GET', arrived, undefined, cookieNamed(other, 'trunkline_openid'))).body).toMatchObject({ status: 401, detail: expect.stringContaining('another browser') });
      expect((await send('GET', arrived, undefined, cookieNamed(started, 'trunkline_openid'))).body).toMatchObject({ status: 401, detail: expect.stringContaining('finished already') });
      expect((await send('GET', `${arrived.split('?')[0] ?? ''}?code=x&state=made-up`, undefined, cookieNamed(other, 'trunkline_openid'))).status).toBe(401);
    }, 180_000);

    it('keeps nothing with which a sign-in could be finished: neither state nor verifier, nonce nor the browser’s token', async () => {
      const started = await send('POST', '/api/session/openid', {});
      const asked = new URL(String(started.body['url'])).searchParams;
      const { rows } = await gateway.database.databases.access.query<{ row: string; verifier: string | null; nonce: string | null }>('select a::text as row, verifier, nonce from openid_attempts a where state_sha256 = $1', [createHash('sha256').update(asked.get('state') ?? '').digest()]);
      expect(rows).toEqual([expect.objectContaining({ verifier: null, nonce: null })]);
      const secrets = [asked.get('state'), asked.get('nonce'), asked.get('code_challenge'), cookieNamed(started, 'trunkline_openid').split('=')[1]];
      for (const secret of secrets) {
        expect(secret?.length).toBeGreaterThan(40);
        expect(rows[0]?.row).not.toContain(secret);
      }
    });

    it('takes an answer to a sign-in that began at a gateway of the version before, which stores verifier and nonce', async () => {
      const name = `cy-${randomUUID()}`;
      const started = await send('POST', '/api/session/openid', { invitation: await invitationFor(`${name}@example.org`) });
      const asked = new URL(String(started.body['url']));
      const [verifier, nonce] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')];
      asked.searchParams.set('code_challenge', createHash('sha256').update(verifier).digest('base64url'));
      asked.searchParams.set('nonce', nonce);
      await gateway.database.databases.access.query('update openid_attempts set verifier = $2, nonce = $3 where state_sha256 = $1', [createHash('sha256').update(asked.searchParams.get('state') ?? '').digest(), verifier, nonce]);
      expect((await send('GET', await atProvider(asked.href, name), undefined, cookieNamed(started, 'trunkline_openid'))).status).toBe(303);
    }, 180_000);

    it.each(['//evil.example', 'https://evil.example', '/\\evil.example', '\\evil'])('goes nowhere else afterwards: %s', async (target) => {
      expect((await send('POST', '/api/session/openid', { return_to: target })).body).toMatchObject({ status: 400, code: 'request.invalid' });
    });

    async function signIn(name: string, body: object): Promise<TestAnswer> {
      const started = await send('POST', '/api/session/openid', body);
      const url = new URL(String(started.body['url']));
      expect(url.searchParams.get('code_challenge_method')).toBe('S256');
      return gateway.send('GET', await atProvider(url.href, name), undefined, { authorization: undefined, cookie: cookieNamed(started, 'trunkline_openid') });
    }

    /** A browser: follows redirects and fills in the provider's forms until it is sent back to us. */
    async function atProvider(address: string, name: string): Promise<string> {
      const jar = new Map<string, string>();
      let [url, form]: [string, URLSearchParams | null] = [address, null];
      for (let hop = 0; hop < 20; hop += 1) {
        const answer: Response = await fetch(url, { redirect: 'manual', method: form === null ? 'GET' : 'POST', body: form, headers: { cookie: [...jar].map(([key, value]) => `${key}=${value}`).join('; ') } });
        for (const cookie of answer.headers.getSetCookie()) {
          const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
          jar.set(key, value);
        }
        const location = answer.headers.get('location');
        if (location?.startsWith(site)) return location.slice(site.length);
        const page = location === null ? await answer.text() : '';
        form = location === null ? new URLSearchParams(page.includes('name="login"') ? { prompt: 'login', login: name, password: 'any' } : { prompt: 'consent' }) : null;
        url = new URL(location ?? /action="([^"]+)"/.exec(page)?.[1] ?? '', url).href;
      }
      throw new Error('the provider never sent the browser back');
    }
  });

  describe('that lies', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 });
    let server: Server;
    let issuer = '';
    let token: (nonce: string) => string = () => '';
    let nonce = '';

    beforeAll(async () => {
      server = createServer((request, response) => {
        const json = (body: object): void => void response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
        if (request.url === '/.well-known/openid-configuration') return json({ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`, response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'] });
        if (request.url === '/jwks') return json({ keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] });
        return json({ access_token: 'x', token_type: 'Bearer', id_token: token(nonce) });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    });
    afterAll(() => new Promise((resolve) => server.close(resolve)));
    beforeEach(() => use({ issuer, clientId, clientSecret, algorithm: 'RS256' }));

    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const seconds = (): number => Math.floor(Date.now() / 1_000);
    const good = (of: string): Record<string, unknown> => ({ iss: issuer, sub: 'ada', aud: clientId, exp: seconds() + 300, iat: seconds(), nonce: of, email: 'ada@example.org', email_verified: true });
    const signed = (claims: object, key: KeyObject = rsa.privateKey, header: object = { alg: 'RS256', kid: 'one' }): string => {
      const text = `${part(header)}.${part(claims)}`;
      return `${text}.${createSign('sha256').update(text).sign(key).toString('base64url')}`;
    };
    const hmac = (claims: object, secret: string | Buffer): string => {
      const text = `${part({ alg: 'HS256', kid: 'one' })}.${part(claims)}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    const finish = async (): Promise<TestAnswer> => {
      const started = await send('POST', '/api/session/openid', { invitation: await invitationFor('ada@example.org') });
      const asked = new URL(String(started.body['url'])).searchParams;
      nonce = asked.get('nonce') ?? '';
      return send('GET', `/api/session/openid/callback?code=x&state=${asked.get('state') ?? ''}`, undefined, cookieNamed(started, 'trunkline_openid'));
    };

    it('is believed when it does not lie', async () => {
      token = (of) => signed(good(of));
      expect((await finish()).status).toBe(303);
    });

    it.each<[string, (of: string) => string]>([
      ['another audience', (of) => signed({ ...good(of), aud: 'somebody-else' })],
      ['another issuer', (of) => signed({ ...good(of), iss: 'https://evil.example' })],
      ['a token of yesterday', (of) => signed({ ...good(of), exp: seconds() - 600, iat: seconds() - 900 })],
      ['another sign-in (nonce)', (of) => signed({ ...good(of), nonce: 'replayed' })],
      ['no nonce', (of) => signed({ ...good(of), nonce: undefined })],
      ['no expiry', (of) => signed({ ...good(of), exp: undefined })],
      ['a key that is not the issuer\'s', (of) => signed(good(of), foreign.privateKey)],
      ['a key named by the token itself', (of) => signed(good(of), foreign.privateKey, { alg: 'RS256', kid: 'two', jku: `${issuer}/jwks`, jwk: foreign.publicKey.export({ format: 'jwk' }) })],
      ['no signature (alg none)', (of) => `${part({ alg: 'none' })}.${part(good(of))}.`],
      ['the client\'s secret as the key (HS256)', (of) => hmac(good(of), clientSecret)],
      ['the public key as an HMAC secret', (of) => hmac(good(of), rsa.publicKey.export({ format: 'pem', type: 'spki' }))],
      ['a changed claim', (of) => signed(good(of)).replace(/\.[^.]+\./, `.${part({ ...good(of), sub: 'eve' })}.`)],
    ])('is refused: %s', async (_, lie) => {
      token = lie;
      const answer = await finish();
      expect(answer.body).toMatchObject({ status: 401, code: 'identity.openid_refused' });
      expect(answer.headers.getSetCookie().join()).not.toContain('trunkline_session=ts_');
    });
  });

  it('that is away is said to be away', async () => {
    use({ issuer: 'http://127.0.0.1:9', clientId, clientSecret, algorithm: 'RS256' });
    expect((await send('POST', '/api/session/openid', {})).body).toMatchObject({ status: 503, code: 'identity.openid_unavailable' });
  });
});
