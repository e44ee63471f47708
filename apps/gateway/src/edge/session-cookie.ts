import type { FastifyReply, FastifyRequest } from 'fastify';

const tokenForm = /^ts_[A-Za-z0-9_-]{43}$/;

/** Where people reach the gateway: decides whether cookies are Secure, and whose requests are our own pages'. */
export class SiteAddress {
  private readonly origin: string | null;

  /** Null: what the request says it came to is believed, as on a developer's machine. */
  constructor(publicUrl: string | null) {
    this.origin = publicUrl === null ? null : new URL(publicUrl).origin;
  }

  /** Plain http only where nothing leaves the machine. */
  isSecure(request: FastifyRequest): boolean {
    if (this.origin !== null) return this.origin.startsWith('https:');
    return !/^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i.test(request.headers.host ?? '');
  }

  isOwnOrigin(request: FastifyRequest, origin: string): boolean {
    if (this.origin !== null) return origin === this.origin;
    return URL.canParse(origin) && new URL(origin).host === request.headers.host?.toLowerCase();
  }

  /** False: only the request itself says where it came to. */
  isCertain(request: FastifyRequest): boolean {
    return this.origin !== null || !this.isSecure(request);
  }

  /** As seen by a browser. */
  originFor(request: FastifyRequest): string {
    return this.origin ?? `${this.isSecure(request) ? 'https' : 'http'}://${request.headers.host ?? 'localhost'}`;
  }
}

/** `__Host-`: the browser takes it only with Secure, for this host alone and every path, so no neighbouring subdomain can plant one (RFC 6265bis §4.1.3.2). */
function cookieName(base: string, isSecure: boolean): string {
  return isSecure ? `__Host-${base}` : base;
}

export class Cookies {
  constructor(private readonly site: SiteAddress) {}

  sessionOf(request: FastifyRequest): string | null {
    const token = this.read(request, 'trunkline_session');
    return token !== null && tokenForm.test(token) ? token : null;
  }

  /** Until the browser ends; the server ends the session earlier or later by itself. */
  setSession(request: FastifyRequest, reply: FastifyReply, token: string): void {
    this.write(request, reply, 'trunkline_session', token, null);
  }

  clearSession(request: FastifyRequest, reply: FastifyReply): void {
    this.write(request, reply, 'trunkline_session', '', 0);
  }

  read(request: FastifyRequest, base: string): string | null {
    const name = cookieName(base, this.site.isSecure(request));
    const found = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim()).filter((pair) => pair.startsWith(`${name}=`));
    // Two of one name: one of them was planted, and which is not known.
    return found.length === 1 ? (found[0]?.slice(name.length + 1) ?? null) : null;
  }

  /** Lax, not Strict: an OpenID provider sends the browser back here from its own site, and that page must see who signed in. */
  write(request: FastifyRequest, reply: FastifyReply, base: string, value: string, maxAgeSeconds: number | null): void {
    const isSecure = this.site.isSecure(request);
    const age = maxAgeSeconds === null ? '' : `; Max-Age=${maxAgeSeconds}`;
    const before = reply.getHeader('set-cookie');
    const cookies = before === undefined ? [] : Array.isArray(before) ? before : [String(before)];
    reply.header('set-cookie', [...cookies.filter((cookie) => !cookie.startsWith(`${cookieName(base, isSecure)}=`)), `${cookieName(base, isSecure)}=${value}; Path=/; HttpOnly; SameSite=Lax${age}${isSecure ? '; Secure' : ''}`]);
  }
}
