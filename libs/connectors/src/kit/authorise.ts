import type { Deadline, Exchange, OutboundRequest } from '@trunkline/outbound';
import type { OAuth2Auth } from './auth.js';
import { SettingsIncomplete } from './errors.js';
import type { Provider } from './provider.js';
import { baseAddress } from './request.js';
import { renderText, type Scope } from './template.js';
import type { TokenAnswer, TokenFailure } from './tokens.js';
import { brief, judge, type Verdict } from './verdict.js';

export type Send = (request: OutboundRequest) => Promise<Exchange>;

/** A token is not used in its last minute (or its last tenth, if it lives shorter than ten minutes). */
export function usableMs(lifeMs: number): number {
  return Math.max(0, lifeMs - Math.min(60_000, lifeMs / 10));
}

/** Asks the provider for an access token (RFC 6749 §4.4). */
export async function fetchToken(provider: Provider, auth: OAuth2Auth, scope: Scope, send: Send, deadline: Deadline, nowMs: number): Promise<TokenAnswer> {
  const clientId = renderText('{credentials.client_id}', scope);
  const clientSecret = renderText('{credentials.client_secret}', scope);
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  const headers: Record<string, string> = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' };
  if (auth.client === 'form') {
    form.set('client_id', clientId);
    form.set('client_secret', clientSecret);
  } else headers['authorization'] = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
  const exchange = await send({ method: 'POST', url: baseAddress(auth.token, scope), headers, body: Buffer.from(form.toString()), deadline });
  return readTokenAnswer(auth, judge(tokenEndpointOf(provider), exchange, nowMs));
}

/** Token endpoints answer by RFC 6749 §5.2, whatever the API of the provider does. */
export function tokenEndpointOf(provider: Provider): Provider {
  const { failsInBody: _none, ...rest } = provider;
  return { ...rest, errors: provider.errors.filter(({ status }) => status === 'html'), errorBody: { code: ['error', ...provider.errorBody.code], message: ['error_description', 'description', ...provider.errorBody.message] } };
}

function readTokenAnswer(auth: OAuth2Auth, verdict: Verdict): TokenAnswer {
  if (verdict.kind !== 'good') return { kind: 'none', failure: failureOf(verdict) };
  const body = verdict.body as { readonly access_token?: unknown; readonly expires_in?: unknown } | undefined;
  if (typeof body?.access_token !== 'string' || body.access_token === '') return { kind: 'none', failure: { class: 'transient', code: 'auth.no_token', message: 'the token endpoint answered without an access_token' } };
  const seconds = Number(body.expires_in);
  const lifeMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : auth.lifeWithoutExpiryMs;
  return { kind: 'token', token: { value: body.access_token, expiresAtMs: lifeMs === null ? null : performance.now() + usableMs(lifeMs) } };
}

export function failureOf(verdict: Exclude<Verdict, { readonly kind: 'good' }>): TokenFailure {
  const { code, message } = verdict;
  if (verdict.kind !== 'refused') return { class: verdict.kind === 'lost' && verdict.reason === 'address-refused' ? 'auth' : 'transient', code, message };
  if (verdict.treatment.kind === 'throttled') return { class: 'throttled', waitMs: verdict.waitMs ?? verdict.treatment.otherwiseMs, code, message };
  if (verdict.treatment.kind === 'transient') return { class: 'transient', code, message };
  // invalid_client, unauthorized_client, invalid_grant and their kind: only new credentials help.
  return { class: 'auth', code: `auth.${code}`, message: brief(`the provider refused the credentials: ${message}`) };
}

export function authorisation({ header }: OAuth2Auth, scope: Scope, token: string): string {
  if (typeof header === 'string') return renderText(header, { token });
  const template = header.templates[renderText(`{settings.${header.setting}}`, scope)];
  if (template === undefined) throw SettingsIncomplete.because(`${header.setting} has an unknown value`);
  return renderText(template, { token });
}
