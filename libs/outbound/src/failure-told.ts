import { defineError } from '@trunkline/contracts';

export const AddressNotAllowed = defineError('http.address_refused', {
  class: 'auth',
  http: 422,
  title: 'This address is not allowed',
  fix: 'Use an https address on the public internet. An operator finds the reason in the log, and can widen the way out by OUTBOUND_ALLOW and OUTBOUND_PORTS.',
});

/** What a tenant is told: never what a name resolves to, nor why the policy says no (both describe the operator's network). */
export const addressNotAllowed = 'this address is not allowed';

const words: readonly (readonly [RegExp, string])[] = [
  [/^(ENOTFOUND|EAI_|ENODATA)/, 'the name does not resolve'],
  [/^ECONNREFUSED/, 'the connection was refused'],
  [/^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)/, 'no connection in time'],
  [/^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL)/, 'no way leads there'],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET|ECONNABORTED)/, 'the connection was lost'],
  [/^(CERT_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|HOSTNAME_MISMATCH)/, 'the certificate is not trusted'],
  [/^(EPROTO|ERR_SSL_|ERR_TLS_)/, 'TLS was not agreed on'],
  [/^HPE_/, 'the answer is not HTTP'],
];

/** A code and a few words of ours: texts of libraries hold addresses, files and lines. */
export function told(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(error.code) ? error.code : null;
  if (code === null) return error.message.startsWith('Parse Error') ? 'the answer is not HTTP' : 'the connection failed';
  return `${code}: ${words.find(([pattern]) => pattern.test(code))?.[1] ?? 'the connection failed'}`;
}

/** For the log. */
export function described(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code} ` : '';
  return `${code}${error.message}`.trim() || error.name;
}
