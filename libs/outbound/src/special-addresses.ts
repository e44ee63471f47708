import { BlockList, isIP } from 'node:net';

/**
 * Addresses that are not places on the public internet: the IANA IPv4 Special-Purpose Address Registry (read 2026-11),
 * multicast (RFC 5771), class E, and the host-side service of Azure at 168.63.129.16, which is a public address by its look.
 */
const specialIpv4 = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '168.63.129.16/32', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
] as const;

/** Inside 2000::/3, the only IPv6 space handed out for the internet (RFC 4291 §2.4): protocol assignments with Teredo and ORCHID, documentation, and 6to4, which carries an IPv4 address of anyone's choice. */
const specialIpv6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'] as const;

const special = new BlockList();
for (const range of specialIpv4) special.addSubnet(...splitRange(range), 'ipv4');
for (const range of specialIpv6) special.addSubnet(...splitRange(range), 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** A text says why the address is none that a customer's system on the internet can have; null: it may be one. */
export function refusalOfSpecial(address: string): string | null {
  switch (isIP(address)) {
    case 4:
      return special.check(address, 'ipv4') ? `${address} is not a public address` : null;
    case 6:
      // A mapped address (::ffff:a.b.c.d) lies outside 2000::/3, and so do NAT64, unique local, link-local and the scoped forms.
      return address.includes('%') || !globalUnicast.check(address, 'ipv6') || special.check(address, 'ipv6') ? `${address} is not a public address` : null;
    default:
      return `${address} is not an address`;
  }
}

function splitRange(range: string): [network: string, prefix: number] {
  const [network = '', prefix = ''] = range.split('/');
  return [network, Number(prefix)];
}
