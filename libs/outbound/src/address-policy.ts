import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

/** Which places an outbound request may go to. Every address a name resolves to is asked about, and the connection goes to exactly those. */
export interface AddressPolicy {
  /** A text says why not. */
  refuse(address: string, port: number): string | null;
}

export const allowEverywhere: AddressPolicy = { refuse: () => null };

/** Names are checked when they are resolved; an address written into the URL is never resolved, so it is checked here. */
export function refusalOfLiteral(policy: AddressPolicy, url: URL): string | null {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `scheme ${url.protocol} is not http or https`;
  if (url.username !== '' || url.password !== '') return 'a URL may not hold a user name or password';
  return isIP(host) === 0 ? null : policy.refuse(host, portOf(url));
}

/** A resolver that hands out allowed addresses only; connecting to what was checked leaves no gap between check and use. */
export function guardedLookup(policy: AddressPolicy, port: number): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, '', 0);
      for (const { address } of addresses) {
        const refusal = policy.refuse(address, port);
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

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
