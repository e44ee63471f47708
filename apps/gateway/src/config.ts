import { openIdAlgorithms, type OpenIdProvider } from '@trunkline/identity';
import { address, choice, type Config, ConfigInvalid, eventLogSchema, integer, list, optional, outboundSchema, port, readConfig, type Setting, text } from '@trunkline/service';

/** Who may come in, and how often. */
const accessSchema = {
  publicUrl: optional(publicAddress('PUBLIC_URL', 'where browsers reach the gateway, as https://trunkline.example.org'), null),
  trustedProxies: optional(list('TRUSTED_PROXIES', 'addresses or ranges of proxies whose X-Forwarded-For is believed', /^[0-9a-f.:]+(?:\/\d{1,3})?$/i), []),
  openIdIssuer: optional(address('OIDC_ISSUER', 'OpenID provider people may sign in with', ['https', 'http']), null),
  openIdClientId: optional(text('OIDC_CLIENT_ID', 'what the OpenID provider knows us by'), null),
  openIdClientSecret: optional(text('OIDC_CLIENT_SECRET', 'secret of that client'), null),
  openIdAlgorithm: optional(choice('OIDC_ALGORITHM', 'how the provider signs ID tokens', openIdAlgorithms), 'RS256' as const),
  strangerRequestsPerMinute: optional(integer('STRANGER_REQUESTS_PER_MINUTE', 'requests without a credential, per address', { min: 1 }), 600),
};

/** Every variable the gateway reads. */
export const gatewaySchema = {
  ...accessSchema,
  host: optional(text('HOST', 'address to listen on'), '127.0.0.1'),
  port: optional(port('PORT', 'port of the HTTP API; 0: any free one'), 3000),
  opsHost: optional(text('OPS_HOST', 'address of the operations port'), '127.0.0.1'),
  opsPort: optional(port('OPS_PORT', 'port of /healthz, /readyz and /metrics; 0: any free one'), 3100),
  ...eventLogSchema,
  ...outboundSchema,
  answerWithinMs: optional(integer('ANSWER_WITHIN_MS', 'how long a publisher waits for 202 or 503', { min: 100, max: 60_000 }), 2_000),
};

/** Session cookies leave over https only; plain http is for a developer's own machine. */
function publicAddress(variable: string, purpose: string): Setting<string> {
  return {
    variable,
    purpose,
    parse: (given) => {
      const url = URL.canParse(given) ? new URL(given) : null;
      const isLocal = url !== null && url.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
      if (url === null || !(url.protocol === 'https:' || isLocal) || url.pathname !== '/' || url.search !== '') throw new Error('must be an https address without a path (http only for localhost)');
      return url.origin;
    },
  };
}

/** Master keys are read by the vault: TRUNKLINE_MASTER_KEYS or TRUNKLINE_MASTER_KEYS_FILE. */
export type GatewayConfig = Omit<Config<typeof gatewaySchema>, keyof typeof accessSchema> & Partial<Config<typeof accessSchema>>;

/** Null: nobody signs in that way. Half of it is a mistake that must not look like none. */
export function openIdProviderOf({ openIdIssuer: issuer = null, openIdClientId: clientId = null, openIdClientSecret: clientSecret = null, openIdAlgorithm: algorithm = 'RS256' }: GatewayConfig): OpenIdProvider | null {
  if (issuer === null && clientId === null && clientSecret === null) return null;
  if (issuer === null || clientId === null || clientSecret === null) throw ConfigInvalid.because('OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET belong together: set all or none');
  return { issuer, clientId, clientSecret, algorithm };
}

export function readGatewayConfig(environment: Readonly<Record<string, string | undefined>> = process.env): GatewayConfig {
  return readConfig(gatewaySchema, environment);
}
