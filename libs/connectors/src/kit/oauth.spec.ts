import { allowEverywhere, createOutbound, startDeadline, type Outbound } from '@trunkline/outbound';
import { genesys } from '../providers/genesys/genesys.js';
import { salesforce } from '../providers/salesforce/salesforce.js';
import { simulatorFor } from '../testing/index.js';
import { type AuthorizationCode, oauth2 } from './auth.js';
import { SignInAtProvider } from './oauth.js';
import { defineProvider, type Provider } from './provider.js';

const redirectUri = 'https://trunkline.example/oauth/callback/here';

describe('signing in at a provider', () => {
  let outbound: Outbound;
  let simulator: { readonly url: string; stop(): Promise<void> };

  beforeAll(async () => {
    outbound = createOutbound({ policy: allowEverywhere });
    simulator = await simulatorFor({ provider: 'salesforce' });
  });
  afterAll(async () => {
    await outbound.close();
    await simulator.stop();
  });

  const at = (provider: Provider, settings: Readonly<Record<string, unknown>>): SignInAtProvider => new SignInAtProvider({ provider, settings, credentials: { client_id: 'id', client_secret: 'secret' }, send: (request) => outbound.request(request), nowMs: Date.now });
  const salesforceWith = (change: Partial<AuthorizationCode>): Provider => {
    const { auth } = salesforce;
    if (auth.kind !== 'oauth2' || auth.authorizationCode === null) throw new Error('nobody signs in there');
    return defineProvider({ ...salesforce, settings: salesforce.settings.filter(({ name }) => name !== 'sign_in'), auth: oauth2({ ...auth, authorizationCode: { ...auth.authorizationCode, ...change } }) });
  };
  async function answered(url: URL): Promise<URLSearchParams> {
    const sent = await fetch(url, { redirect: 'manual' });
    return new URL(sent.headers.get('location') ?? '').searchParams;
  }

  it('asks as the definition says, and never without PKCE', async () => {
    const { url, state, verifier } = await at(salesforceWith({ parameters: { prompt: 'consent' } }), { instance_url: simulator.url }).begin(redirectUri, 'of ours');
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ prompt: 'consent', redirect_uri: redirectUri, state, response_type: 'code', code_challenge_method: 'S256' });
    expect(url.href).not.toContain(verifier);
  });

  it('follows the region of a provider that has several', async () => {
    expect((await at(genesys, { region: 'mypurecloud.com.au' }).begin(redirectUri, 's')).url.origin).toBe('https://login.mypurecloud.com.au');
    for (const settings of [{ region: 'x@evil.example' }, { login_url: 'https://somebody@evil.example' }, {}]) await expect(at(genesys, settings).begin(redirectUri, 's')).rejects.toMatchObject({ code: 'integration.settings_incomplete' });
  });

  it('takes an answer without an issuer for nobody\'s, where the provider names itself in each', async () => {
    const signIn = at(salesforceWith({ sendsIssuer: true }), { instance_url: simulator.url });
    const { url, ...expected } = await signIn.begin(redirectUri, 's');
    await expect(signIn.finish(redirectUri, await answered(url), expected, startDeadline(20_000))).rejects.toThrow('invalid response');
    const named = await answered(url);
    named.set('iss', simulator.url);
    expect(await signIn.finish(redirectUri, named, expected, startDeadline(20_000))).toMatchObject({ kind: 'tokens', tokens: { refreshToken: expect.any(String) as unknown, lifeMs: null } });
  });

  it('tells an answer that was lost from one that says no', async () => {
    const signIn = at(salesforce, { instance_url: simulator.url });
    expect(await signIn.refresh('unknown', startDeadline(20_000))).toMatchObject({ kind: 'none', isGrantDead: true, mayHaveActed: false, failure: { class: 'auth', code: 'auth.invalid_grant' } });
    const nowhere = at(salesforce, { instance_url: 'http://127.0.0.1:9' });
    expect(await nowhere.refresh('any', startDeadline(20_000))).toMatchObject({ kind: 'none', isGrantDead: false, mayHaveActed: false, failure: { class: 'transient' } });
    await fetch(`${simulator.url}/_control/faults`, { method: 'POST', body: JSON.stringify({ match: { operation: 'token' }, malformed: true, times: 1 }) });
    const { url, ...expected } = await signIn.begin(redirectUri, 's');
    expect(await signIn.finish(redirectUri, await answered(url), expected, startDeadline(20_000))).toMatchObject({ kind: 'none', isGrantDead: false, mayHaveActed: true });
  });

  it.each([
    ['https://acme.my.salesforce.com', 'https://acme.my.salesforce.com'],
    ['https://acme--sbx.sandbox.my.salesforce.com/', 'https://acme--sbx.sandbox.my.salesforce.com'],
    [undefined, null],
  ])('takes %s for an address of Salesforce', (named, expected) => {
    expect(at(salesforce, { instance_url: simulator.url }).instanceUrlIn({ instance_url: named })).toBe(expected);
  });

  it.each(['https://evilsalesforce.com', 'https://salesforce.com.evil.example', 'http://acme.my.salesforce.com', 'https://acme.my.salesforce.com:444', 'https://a:b@acme.my.salesforce.com', '//acme.my.salesforce.com', 7])('does not take %s for one', (named) => {
    expect(() => at(salesforce, { instance_url: simulator.url }).instanceUrlIn({ instance_url: named })).toThrow('no address of the provider');
  });
});
