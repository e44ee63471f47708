import { csrfTokenOf, isSame } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';
import { ForgerySuspected } from './errors.js';
import type { SiteAddress } from './session-cookie.js';

const safe = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Requests that a browser was tricked into (OWASP CSRF Prevention Cheat Sheet, read 2026-11-21: Fetch Metadata with Origin as the fallback, plus a synchroniser token).
 * Both are asked for: the headers a browser sets itself, and a token only our own pages can read. A same-site neighbour is not us.
 */
export function refuseForgery(request: FastifyRequest, site: SiteAddress, sessionToken: string | null): void {
  if (safe.has(request.method)) return;
  const { origin, 'sec-fetch-site': from, 'x-csrf-token': token } = request.headers;
  if (from !== undefined && from !== 'same-origin' && from !== 'none') throw ForgerySuspected.because(`the browser says the request comes from another place (${String(from).slice(0, 20)})`);
  if (origin !== undefined && !site.isOwnOrigin(request, origin)) throw ForgerySuspected.because('the Origin header names another place');
  if (sessionToken === null) return;
  const wanted = Buffer.from(csrfTokenOf(sessionToken));
  if (typeof token !== 'string' || !isSame(Buffer.from(token), wanted)) throw ForgerySuspected.because('x-csrf-token is missing or not the one of this session');
}
