import type { Call, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';

const lifeOption = 'tokenLifeSeconds';

/** Login host and API host are one server here: `POST /oauth/token` with Basic client credentials. */
export const authRoutes: readonly Route[] = [
  { operation: 'token', method: 'POST', path: '/oauth/token', isOpen: true, handle: token },
  { operation: 'readToken', method: 'GET', path: '/api/v2/tokens/me', handle: (_call, world) => ({ status: 200, body: tokenInfo(world) }) },
  { operation: 'readOrganization', method: 'GET', path: '/api/v2/organizations/me', handle: () => ({ status: 200, body: { ...organization, defaultLanguage: 'en-US', state: 'active', selfUri: '/api/v2/organizations/me' } }) },
];

const organization = { id: '5a1c6d40-0000-4000-8000-000000000001', name: 'Simulated organization' };

function token(call: Call, world: World): Reply {
  const { form } = call;
  const [id = '', secret = ''] = basic(call.headers.authorization);
  if (form.get('grant_type') !== 'client_credentials') return oauthError(400, 'unsupported_grant_type', 'grant_type is not supported');
  if (!world.tokens.accepts(id, secret)) return oauthError(401, 'invalid_client', 'client not found or invalid client authentication');
  const life = Number(world.settings.options[lifeOption]);
  return { status: 200, body: { access_token: world.tokens.issue(call.at, life * 1_000), token_type: 'bearer', expires_in: life - 1 } };
}

function basic(header: string | undefined): readonly string[] {
  const encoded = /^basic\s+(\S+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return [];
  const [id = '', ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  return [id, secret.join(':')];
}

function oauthError(status: number, error: string, description: string): Reply {
  return { status, body: { error, description, error_description: description } };
}

function tokenInfo(world: World): unknown {
  return {
    organization,
    homeOrganization: organization,
    authorizedScope: ['external-contacts'],
    OAuthClient: { id: 'simulated', name: 'Simulated client', authorizedGrantType: 'CLIENT_CREDENTIALS', state: 'active', organization },
    dateTokenIdles: new Date(world.clock.now() + Number(world.settings.options[lifeOption]) * 1_000).toISOString(),
  };
}
