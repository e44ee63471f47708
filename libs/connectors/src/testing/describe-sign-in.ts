import { randomUUID } from 'node:crypto';
import { allowEverywhere, createOutbound, startDeadline, type Outbound } from '@trunkline/outbound';
import { signInSetting, type AuthorizationCode } from '../kit/auth.js';
import { Connection } from '../kit/connection.js';
import { type Expected, type GrantAnswer, type IssuedTokens, SignInAtProvider } from '../kit/oauth.js';
import type { Provider } from '../kit/provider.js';
import { TokenCache } from '../kit/tokens.js';
import type { ConnectorUnderTest } from './connector-under-test.js';
import { SimulatorControl } from './simulator-control.js';

const redirectUri = 'https://trunkline.example/oauth/callback/here';

/** What the suite asks of a provider where people sign in. Nothing but its definition is known here. */
export function describeSignIn(provider: Provider, code: AuthorizationCode, under: ConnectorUnderTest): void {
  describe('in the name of a person who signs in', () => {
    const credentials = under.credentials ?? { client_id: 'id', client_secret: 'secret' };
    let outbound: Outbound;
    let simulator: { readonly url: string; stop(): Promise<unknown> };
    let signIn: SignInAtProvider;

    beforeAll(async () => {
      outbound = createOutbound({ policy: allowEverywhere });
      simulator = await under.simulator();
      signIn = new SignInAtProvider({ provider, settings: under.settings(simulator.url), credentials, send: (request) => outbound.request(request), nowMs: Date.now });
    });
    afterAll(async () => {
      await outbound.close();
      await simulator.stop();
    });

    async function arrived(): Promise<{ readonly query: URLSearchParams; readonly expected: Expected }> {
      const { url, ...expected } = await signIn.begin(redirectUri, randomUUID());
      const sent = await fetch(url, { redirect: 'manual' });
      return { query: new URL(sent.headers.get('location') ?? '').searchParams, expected };
    }
    async function granted(): Promise<IssuedTokens> {
      const { query, expected } = await arrived();
      return tokensOf(await signIn.finish(redirectUri, query, expected, startDeadline(20_000)));
    }
    const connectionWith = (tokens: IssuedTokens): Connection => {
      const settings = { ...under.settings(simulator.url), [signInSetting]: 'authorization_code' };
      const token = { value: tokens.accessToken, expiresAtMs: null, instanceUrl: signIn.instanceUrlIn(tokens.fields) };
      return new Connection({ provider, id: randomUUID(), settings, credentials, tokens: new TokenCache(), granted: { obtain: () => Promise.resolve({ kind: 'token', token, isFresh: false }) }, send: (request) => outbound.request(request), nowMs: Date.now });
    };

    it('states where its facts come from', () => {
      expect(code.source.length).toBeGreaterThan(10);
      expect(code.scopes.length).toBeGreaterThan(0);
      expect(code.keepAliveMs).toBeGreaterThan(0);
    });

    it('calls with what was granted, and after a refresh with what came of it', async () => {
      const first = await granted();
      expect(await connectionWith(first).check(startDeadline(20_000))).toMatchObject({ isGood: true });
      const second = tokensOf(await signIn.refresh(first.refreshToken ?? '', startDeadline(20_000)));
      expect(await connectionWith(second).check(startDeadline(20_000))).toMatchObject({ isGood: true });
    });

    it('ends a refresh token with its use, where the definition says that it does, and never where it says so', async () => {
      const { refreshToken } = await granted();
      await signIn.refresh(refreshToken ?? '', startDeadline(20_000));
      const again = await signIn.refresh(refreshToken ?? '', startDeadline(20_000));
      if (code.refreshTokenRotates === 'always') expect(again).toMatchObject({ kind: 'none', isGrantDead: true });
      if (code.refreshTokenRotates === 'never') expect(again).toMatchObject({ kind: 'tokens' });
    });

    it('gives nothing for a code without its verifier', async () => {
      const { query, expected } = await arrived();
      expect(await signIn.finish(redirectUri, query, { ...expected, verifier: 'another'.repeat(8) }, startDeadline(20_000))).toMatchObject({ kind: 'none', failure: { class: 'auth' } });
    });

    it('says when a grant has ended', async () => {
      const { refreshToken } = await granted();
      await new SimulatorControl(simulator.url).revokeGrants();
      expect(await signIn.refresh(refreshToken ?? '', startDeadline(20_000))).toMatchObject({ kind: 'none', isGrantDead: true, mayHaveActed: false });
    });

    if (code.revoke !== null) {
      it('takes a grant back', async () => {
        const { refreshToken } = await granted();
        expect(await signIn.revoke(refreshToken ?? '', startDeadline(20_000))).toBe(true);
        expect(await signIn.refresh(refreshToken ?? '', startDeadline(20_000))).toMatchObject({ kind: 'none', isGrantDead: true });
      });
    }
  });
}

function tokensOf(answer: GrantAnswer): IssuedTokens {
  if (answer.kind === 'none') throw new Error(`no tokens: ${answer.failure.code} ${answer.failure.message}`);
  return answer.tokens;
}
