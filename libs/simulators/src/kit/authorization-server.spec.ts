import { createHash, randomBytes } from 'node:crypto';
import { type Answer, Simulation } from '../testing/simulation.js';

const redirectUri = 'https://trunkline.example/oauth/callback/salesforce';

describe('signing in at a simulator', () => {
  let salesforce: Simulation;

  beforeEach(async () => {
    salesforce = await Simulation.start({ provider: 'salesforce', credentials: { clientId: 'client', clientSecret: 'secret' } });
  });
  afterEach(() => salesforce.end());

  const option = (options: object): Promise<Answer> => salesforce.control('PUT', '/settings', { options });

  async function authorize(wishes: Record<string, string> = {}): Promise<URL> {
    const query = new URLSearchParams({ response_type: 'code', client_id: 'client', redirect_uri: redirectUri, state: 'st', ...wishes });
    const answer = await fetch(`${salesforce.url}/services/oauth2/authorize?${query.toString()}`, { redirect: 'manual' });
    return new URL(answer.headers.get('location') ?? `about:${answer.status}`);
  }
  const ask = (fields: Record<string, string>): Promise<Answer> => salesforce.ask('POST', '/services/oauth2/token', new URLSearchParams({ client_id: 'client', client_secret: 'secret', ...fields }).toString());
  const redeem = (code: string, more: Record<string, string> = {}): Promise<Answer> => ask({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, ...more });
  const refresh = (token: string): Promise<Answer> => ask({ grant_type: 'refresh_token', refresh_token: token });
  const codeIn = (back: URL): string => back.searchParams.get('code') ?? '';
  const isGood = async (token: string): Promise<boolean> => (await salesforce.ask('GET', '/services/data/v68.0/limits', undefined, { authorization: `Bearer ${token}` })).status === 200;

  it('gives a code that is good once, for its client, its callback and its verifier', async () => {
    const verifier = randomBytes(32).toString('base64url');
    const challenge = { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' };
    expect((await redeem(codeIn(await authorize(challenge)))).json).toMatchObject({ error: 'invalid_grant' });
    expect((await redeem(codeIn(await authorize(challenge)), { code_verifier: 'another' })).json).toMatchObject({ error: 'invalid_grant' });
    expect((await redeem(codeIn(await authorize()), { redirect_uri: 'https://elsewhere.example' })).json).toMatchObject({ error: 'invalid_grant' });
    const code = codeIn(await authorize(challenge));
    const granted = await redeem(code, { code_verifier: verifier });
    expect(await isGood(String(granted.json['access_token']))).toBe(true);
    expect((await redeem(code, { code_verifier: verifier })).json).toMatchObject({ error: 'invalid_grant' });
    expect(await isGood(String(granted.json['access_token']))).toBe(false);
  });

  it('keeps a refresh token, or replaces it, as the option says', async () => {
    const kept = String((await redeem(codeIn(await authorize()))).json['refresh_token']);
    expect((await refresh(kept)).json).not.toHaveProperty('refresh_token');
    await option({ refreshTokenRotates: true });
    const next = String((await refresh(kept)).json['refresh_token']);
    expect((await refresh(kept)).json).toMatchObject({ error: 'invalid_grant' });
    expect((await refresh(next)).status).toBe(200);
    expect((await salesforce.control('GET', '/token-calls')).json['calls']).toMatchObject([{ grantType: 'client_credentials' }, { grantType: 'authorization_code', outcome: 'issued' }, { outcome: 'issued' }, { outcome: 'issued' }, { grantType: 'refresh_token', outcome: 'invalid_grant' }, { outcome: 'issued' }]);
  });

  it('ends a refresh token that nobody used for too long, by its own clock, and everything at a revocation', async () => {
    await option({ refreshTokenIdleSeconds: 3_600 });
    const token = String((await redeem(codeIn(await authorize()))).json['refresh_token']);
    await salesforce.control('POST', '/clock', { advanceMs: 3_000_000 });
    expect((await refresh(token)).status).toBe(200);
    await salesforce.control('POST', '/clock', { advanceMs: 3_600_000 });
    expect((await refresh(token)).json).toMatchObject({ error: 'invalid_grant' });
    const other = await redeem(codeIn(await authorize()));
    await salesforce.control('POST', '/revoke-grants');
    expect(await isGood(String(other.json['access_token']))).toBe(false);
    expect((await refresh(String(other.json['refresh_token']))).json).toMatchObject({ error: 'invalid_grant' });
  });

  it('says what the person said, and who it is where it names itself', async () => {
    await option({ consent: 'denied', sendsIssuer: true });
    const back = await authorize();
    expect(Object.fromEntries(back.searchParams)).toMatchObject({ error: 'access_denied', state: 'st', iss: salesforce.url });
    expect((await authorize({ client_id: 'unknown' })).href).toBe('about:400');
  });
});
