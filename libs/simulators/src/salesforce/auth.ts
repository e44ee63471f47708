import type { Call, Reply } from '../kit/call.js';
import type { Route, World } from '../kit/provider.js';
import { recordId } from './record-id.js';

export const organisationId = recordId('00D', 1);
const userId = recordId('005', 1);

/** My Domain host, so client credentials work; token and API are one server here. */
export const authRoutes: readonly Route[] = [
  { operation: 'token', method: 'POST', path: '/services/oauth2/token', isOpen: true, handle: token },
  { operation: 'revokeToken', method: 'POST', path: '/services/oauth2/revoke', isOpen: true, handle: revokeToken },
  { operation: 'userInfo', method: 'GET', path: '/services/oauth2/userinfo', handle: (call) => ({ status: 200, body: identity(call) }) },
  { operation: 'identity', method: 'GET', path: '/id/{organisation}/{user}', handle: (call) => ({ status: 200, body: identity(call) }) },
];

/** No `expires_in`: the life of a session is the organisation's setting, found out by a 401. */
function token(call: Call, world: World): Reply {
  const { form } = call;
  if (form.get('grant_type') !== 'client_credentials') return oauthError('unsupported_grant_type', 'grant type not supported');
  if (!world.tokens.accepts(form.get('client_id') ?? '', form.get('client_secret') ?? '')) return oauthError('invalid_client', 'invalid client credentials');
  const lifeMs = Number(world.settings.options['sessionSeconds']) * 1_000;
  return {
    status: 200,
    body: {
      access_token: world.tokens.issue(call.at, lifeMs),
      signature: Buffer.from(String(call.at)).toString('base64'),
      scope: 'api',
      instance_url: call.origin,
      id: identityUrl(call),
      token_type: 'Bearer',
      issued_at: String(call.at),
    },
  };
}

/** Ends every session of the client, which is what our one client can notice. */
function revokeToken(call: Call, world: World): Reply {
  const ended = call.form.get('token') ?? '';
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
