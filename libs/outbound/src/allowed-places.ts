import { BlockList, isIP } from 'node:net';

/** What an operator lets the platform reach beside the public internet: a range of addresses, at one port or (null) at every port. */
export interface AllowedPlace {
  readonly network: string;
  readonly prefix: number;
  readonly port: number | null;
}

const form = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^\s/:]+))(?:\/(?<prefix>\d{1,3}))?(?::(?<port>\d{1,5}))?$/;

/**
 * `127.0.0.1:4301`, `10.20.0.0/16`, `10.20.0.0/16:8443`, `[fd00:1::]/48:443`. Names are not taken: what a name resolves to is its owner's to change.
 * @throws Error saying what was expected.
 */
export function parseAllowedPlace(text: string): AllowedPlace {
  const groups = form.exec(text.trim())?.groups;
  const network = groups?.['bracketed'] ?? groups?.['plain'] ?? '';
  const family = isIP(network);
  const widest = family === 4 ? 32 : 128;
  const prefix = Number(groups?.['prefix'] ?? widest);
  const port = groups?.['port'] === undefined ? null : Number(groups['port']);
  if (family === 0 || network.includes('%') || prefix > widest || (port !== null && (port < 1 || port > 65_535))) {
    throw new Error('must be addresses or ranges with an optional port, such as 10.20.0.0/16:8443 or [fd00:1::]/48');
  }
  return { network, prefix, port };
}

/** Asks whether an operator named this place. */
export function matcherOf(places: readonly AllowedPlace[]): (address: string, port: number) => boolean {
  const compiled = places.map(({ network, prefix, port }) => {
    const range = new BlockList();
    range.addSubnet(network, prefix, isIP(network) === 4 ? 'ipv4' : 'ipv6');
    return { range, port, family: isIP(network) };
  });
  return (address, port) => {
    const family = isIP(address);
    return compiled.some((place) => place.family === family && (place.port === null || place.port === port) && place.range.check(address, family === 4 ? 'ipv4' : 'ipv6'));
  };
}
