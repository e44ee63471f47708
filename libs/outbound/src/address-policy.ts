import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { matcherOf, type AllowedPlace } from './allowed-places.js';
import { refusalOfSpecial } from './special-addresses.js';

export type Scheme = 'http:' | 'https:';

/** Which places an outbound request may go to. Every address a name resolves to is asked about, and the connection goes to exactly those. */
export interface AddressPolicy {
  /** A text says why not. */
  refuse(address: string, port: number, scheme: Scheme): string | null;
}

export interface PublicInternetOptions {
  /** Reached whatever the address is, and by plain http too. */
  readonly allowed?: readonly AllowedPlace[];
  /** Where https may go on the public internet. */
  readonly ports?: readonly number[];
}

/** Https to public addresses on the ports named; everything else only where an operator named the range. */
export function publicInternet({ allowed = [], ports = [443] }: PublicInternetOptions = {}): AddressPolicy {
  const isAllowed = matcherOf(allowed);
  return {
    refuse(address, port, scheme) {
      if (isAllowed(address, port)) return null;
      const special = refusalOfSpecial(address);
      if (special !== null) return `${special}; an operator can allow it by OUTBOUND_ALLOW`;
      if (scheme !== 'https:') return 'only https goes to a public address';
      return ports.includes(port) ? null : `port ${port} is not one of ${ports.join(', ')}; an operator can add it by OUTBOUND_PORTS`;
    },
  };
}

/** For tests of other things than the policy. */
export const allowEverywhere: AddressPolicy = { refuse: () => null };

/** Names are checked when they are resolved; an address written into the URL is never resolved, so it is checked here. */
export function refusalOfLiteral(policy: AddressPolicy, url: URL): string | null {
  const scheme = schemeOf(url);
  if (scheme === null) return `scheme ${url.protocol} is not http or https`;
  if (url.username !== '' || url.password !== '') return 'a URL may not hold a user name or password';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return isIP(host) === 0 ? null : policy.refuse(host, portOf(url), scheme);
}

/** Gives every address of a name, as `dns.lookup` with `all` does. */
export type Resolve = (hostname: string, options: { readonly family?: number | 'IPv4' | 'IPv6' | undefined; readonly hints?: number | undefined; readonly all: true }, callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void;

export const resolveBySystem: Resolve = (hostname, options, callback) => lookup(hostname, { ...options, all: true }, callback);

/** A resolver that hands out allowed addresses only; connecting to what was checked leaves no gap between check and use. */
export function guardedLookup(policy: AddressPolicy, port: number, scheme: Scheme, resolve: Resolve = resolveBySystem): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...(options.family !== undefined && { family: options.family }), ...(options.hints !== undefined && { hints: options.hints }), all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      for (const { address } of addresses) {
        const refusal = policy.refuse(address, port, scheme);
        if (refusal !== null) return callback(new AddressRefused(`${hostname} resolves to ${address}: ${refusal}`), '', 0);
      }
      const [first] = addresses;
      if (options.all === true) return callback(null, addresses);
      return first === undefined ? callback(new Error(`${hostname} has no address`), '', 0) : callback(null, first.address, first.family);
    });
  };
}

/** Travels through the connector as an ordinary error and is recognised by its class. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

export function schemeOf(url: URL): Scheme | null {
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.protocol : null;
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
