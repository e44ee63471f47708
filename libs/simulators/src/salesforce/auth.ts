import type { Call, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';
import { recordId } from './record-id.js';

export const organisationId = recordId('00D', 1);
const userId = recordId('005', 1);

/** My Domain host, so client credentials work; token and API are one server here. */
export const authRoutes: readonly Route[] = [
  { operation: 'authorize', method: 'GET', path: '/services/oauth2/authorize', isOpen: true, handle: (call, world) => world.authorization.authorize(call) },
  { operation: 'token', method: 'POST', path: '/services/oauth2/token', isOpen: true, handle: token },
  { operation: 'revokeToken', method: 'POST', path: '/services/oauth2/revoke', isOpen: true, handle: revokeToken },
  { operation: 'userInfo', method: 'GET', path: '/services/oauth2/userinfo', handle: (call) => ({ status: 200, body: identity(call) }) },
  { operation: 'identity', method: 'GET', path: '/id/{organisation}/{user}', handle: (call) => ({ status: 200, body: identity(call) }) },
];

/** No `expires_in`: the life of a session is the organisation's setting, found out by a 401. */
function token(call: Call, world: World): Reply {
  const { form } = call;
  const clientId = form.get('client_id') ?? '';
  const isKnown = world.tokens.accepts(clientId, form.get('client_secret') ?? '');
  if (form.get('grant_type') === 'client_credentials') {
    world.authorization.noteOther('client_credentials', isKnown ? 'issued' : 'invalid_client');
    return isKnown ? issued(call, world, 'api') : oauthError('invalid_client', 'invalid client credentials');
  }
  if (!isKnown) return oauthError('invalid_client', 'invalid client credentials');
  const exchanged = world.authorization.exchange(call, clientId);
  if (exchanged === null) return oauthError('unsupported_grant_type', 'grant type not supported');
  if (exchanged.kind === 'refused') return oauthError(exchanged.error, exchanged.description);
  return issued(call, world, 'refresh_token api', exchanged.grant, exchanged.refreshToken);
}

function issued(call: Call, world: World, scope: string, grant?: string, refreshToken: string | null = null): Reply {
  const { sessionSeconds, instanceUrl } = world.settings.options;
  return {
    status: 200,
    body: {
      access_token: world.tokens.issue(call.at, Number(sessionSeconds) * 1_000, grant),
      ...(refreshToken === null ? {} : { refresh_token: refreshToken }),
      signature: Buffer.from(String(call.at)).toString('base64'),
      scope,
      instance_url: instanceUrl ?? call.origin,
      id: identityUrl(call),
      token_type: 'Bearer',
      issued_at: String(call.at),
    },
  };
}

/** A refresh token takes with it everything that the person granted; a session of the client's own ends all of its sessions, which is what our one client can notice. */
function revokeToken(call: Call, world: World): Reply {
  const ended = call.form.get('token') ?? call.query.get('token') ?? '';
  if (world.authorization.end(ended)) return { status: 200 };
  if (!world.tokens.isValid(ended, call.at)) return oauthError('unsupported_token_type', 'this token type is not supported');
  world.tokens.expireAll();
  return { status: 200 };
}

function oauthError(error: string, description: string): Reply {
  return { status: 400, body: { error, error_description: description } };
}

function identityUrl(call: Call): string {
  return `${call.origin}/id/${organisationId}/${userId}`;
}

function identity(call: Call): unknown {
  const url = identityUrl(call);
  return { id: url, sub: url, asserted_user: true, user_id: userId, organization_id: organisationId, username: 'integration@simulated.example', display_name: 'Integration User', email: 'integration@simulated.example', active: true, user_type: 'STANDARD', urls: { rest: `${call.origin}/services/data/v{version}/`, sobjects: `${call.origin}/services/data/v{version}/sobjects/` } };
}
