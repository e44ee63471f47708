import type { Call, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';

const lifeOption = 'tokenLifeSeconds';

/** Login host and API host are one server here: `POST /oauth/token` with Basic client credentials. */
export const authRoutes: readonly Route[] = [
  { operation: 'authorize', method: 'GET', path: '/oauth/authorize', isOpen: true, handle: (call, world) => world.authorization.authorize(call) },
  { operation: 'token', method: 'POST', path: '/oauth/token', isOpen: true, handle: token },
  { operation: 'readToken', method: 'GET', path: '/api/v2/tokens/me', handle: (_call, world) => ({ status: 200, body: tokenInfo(world) }) },
  { operation: 'readOrganization', method: 'GET', path: '/api/v2/organizations/me', handle: () => ({ status: 200, body: { ...organization, defaultLanguage: 'en-US', state: 'active', selfUri: '/api/v2/organizations/me' } }) },
];

const organization = { id: '5a1c6d40-0000-4000-8000-000000000001', name: 'Simulated organization' };

function token(call: Call, world: World): Reply {
  const { form } = call;
  const [id = '', secret = ''] = basic(call.headers.authorization);
  const isKnown = world.tokens.accepts(id, secret);
  if (form.get('grant_type') === 'client_credentials') {
    world.authorization.noteOther('client_credentials', isKnown ? 'issued' : 'invalid_client');
    return isKnown ? issued(call, world) : unknownClient();
  }
  // The PKCE variant of the vendor's client has no secret: the verifier stands for it.
  const isPublic = call.headers.authorization === undefined && form.get('code_verifier') !== null && world.tokens.knowsClient(form.get('client_id') ?? '');
  if (!isKnown && !isPublic) return unknownClient();
  const exchanged = world.authorization.exchange(call, isPublic ? (form.get('client_id') ?? '') : id);
  if (exchanged === null) return oauthError(400, 'unsupported_grant_type', 'grant_type is not supported');
  if (exchanged.kind === 'refused') return oauthError(400, exchanged.error, exchanged.description);
  return issued(call, world, exchanged.grant, exchanged.refreshToken);
}

function issued(call: Call, world: World, grant?: string, refreshToken: string | null = null): Reply {
  const life = Number(world.settings.options[lifeOption]);
  return { status: 200, body: { access_token: world.tokens.issue(call.at, life * 1_000, grant), token_type: 'bearer', expires_in: life - 1, ...(refreshToken === null ? {} : { refresh_token: refreshToken }) } };
}

function unknownClient(): Reply {
  return oauthError(401, 'invalid_client', 'client not found or invalid client authentication');
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
