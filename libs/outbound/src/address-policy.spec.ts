import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { LookupAddress } from 'node:dns';
import { createOutbound, parseAllowedPlace, publicInternet, startDeadline, type Exchange, type OutboundOptions, type Resolve } from './index.js';

/** Listens on every loopback address of both families and counts who comes. */
class Canary {
  connections = 0;
  private readonly servers: Server[] = [];
  port = 0;

  async listen(): Promise<void> {
    for (const host of ['0.0.0.0', '::']) {
      const server = createServer((socket) => {
        this.connections += 1;
        socket.on('error', () => socket.destroy()).destroy();
      });
      server.listen({ port: this.port, host, ipv6Only: host === '::' });
      await once(server, 'listening').catch(() => undefined);
      const address = server.address();
      if (address !== null && typeof address === 'object') this.port = address.port;
      this.servers.push(server);
    }
  }

  close(): void {
    for (const server of this.servers) server.close();
  }
}

const canary = new Canary();
beforeAll(() => canary.listen());
afterAll(() => canary.close());
beforeEach(() => {
  canary.connections = 0;
});

async function ask(url: string, options: OutboundOptions = {}): Promise<Exchange | 'not a URL'> {
  if (!URL.canParse(url)) return 'not a URL';
  const outbound = createOutbound(options);
  try {
    return await outbound.request({ method: 'GET', url: new URL(url), headers: {}, body: null, deadline: startDeadline(1_000) });
  } finally {
    await outbound.close();
  }
}

/** Hosts that lead, or try to lead, to this machine, its network or its cloud. */
const hosts = [
  '127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '2130706433', '0x7f000001', '0x7f.0.0.1', '0x7f.1', '017700000001', '0177.0.0.1', '0177.0x0.0.1', '00000177.1', '127.0.0.1.', '%31%32%37.0.0.1', '１２７.０.０.１', '①②⑦.⓪.⓪.①', '127。0。0。1',
  '0.0.0.0', '0', '0x0', '00', 'localhost', 'LOCALHOST', 'localhost.', 'ｌｏｃａｌｈｏｓｔ', 'localhost%2e',
  '[::1]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:1]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001:0:7f00:1::]', '[fe80::1]', '[fc00::1]', '[fd00:ec2::254]', '[ff02::1]', '[2001:db8::1]', '[3fff::1]', '[5f00::1]',
  '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.255.255', '100.64.0.1', '100.100.100.200', '169.254.169.254', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '168.63.129.16', '192.0.0.192', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '192.88.99.1', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255',
] as const;

/** The same destination dressed up as something else. */
const dressings: readonly ((host: string) => string)[] = [
  (host) => `https://${host}:${canary.port}/`,
  (host) => `http://${host}:${canary.port}/`,
  (host) => `https://api.example.com@${host}:${canary.port}/`,
  (host) => `https://${host}:${canary.port}#api.example.com`,
  (host) => `https://${host}:${canary.port}\\@api.example.com/`,
  (host) => `https:${host}:${canary.port}`,
];

describe('an address that is not on the public internet gets no connection', () => {
  it.each(hosts)('%s', async (host) => {
    expect(hosts.length).toBeGreaterThanOrEqual(60);
    for (const dressing of dressings) {
      const end = await ask(dressing(host), { policy: publicInternet({ ports: [443, canary.port] }) });
      if (end !== 'not a URL') expect(end).toMatchObject({ kind: 'failed', firstByteLeft: false });
    }
    expect(canary.connections).toBe(0);
  });

  it.each(['ftp://127.0.0.1/', 'file:///etc/hosts', 'gopher://127.0.0.1:70/', 'ws://127.0.0.1/', 'data:text/plain,a', 'javascript:1', 'unix:/tmp/socket'])('nor does %s', async (url) => {
    expect(await ask(url, { policy: publicInternet() })).toMatchObject({ reason: 'address-refused' });
    expect(canary.connections).toBe(0);
  });

  it('unless an operator named it: the canary hears a connection when it may', async () => {
    await ask(`http://127.0.0.1:${canary.port}/`, { policy: publicInternet({ allowed: [parseAllowedPlace(`127.0.0.1:${canary.port}`)] }) });
    expect(canary.connections).toBe(1);
  });
});

describe('a name', () => {
  const answering =
    (...answers: readonly LookupAddress[][]): Resolve => {
      let asked = 0;
      return (_name, _options, callback) => callback(null, answers[Math.min(asked++, answers.length - 1)] ?? []);
    };
  const loopback = { address: '127.0.0.1', family: 4 };
  // Reserved (RFC 1112 §4): allowed here so that it passes for a good address, and nobody answers there.
  const elsewhere = { address: '240.0.0.1', family: 4 };
  const policy = (): OutboundOptions['policy'] => publicInternet({ ports: [canary.port], allowed: [parseAllowedPlace('240.0.0.1')] });

  it('with one private address among public ones is refused whole', async () => {
    expect(await ask(`https://mixed.example:${canary.port}/`, { policy: policy(), resolve: answering([elsewhere, loopback]) })).toMatchObject({ reason: 'address-refused' });
    expect(canary.connections).toBe(0);
  });

  it('that turns to a private address after it was looked at gets no connection: what is connected to is what was checked', async () => {
    const flipping = answering([elsewhere], [loopback]);
    const outbound = createOutbound({ policy: policy(), resolve: flipping });
    const request = () => outbound.request({ method: 'GET', url: new URL(`https://flip.example:${canary.port}/`), headers: {}, body: null, deadline: startDeadline(200) });
    const ends = [await request(), await request(), await request()];
    await outbound.close();
    expect(ends.slice(1)).toEqual([expect.objectContaining({ reason: 'address-refused' }), expect.objectContaining({ reason: 'address-refused' })]);
    expect(canary.connections).toBe(0);
  });
});

describe('the public internet', () => {
  const policy = publicInternet();
  it.each(['93.184.215.14', '198.41.0.4', '2606:2800:21f:cb07:6820:80da:af6b:8b2c', '172.32.0.1', '192.0.1.1', '100.128.0.1'])('holds %s', (address) => {
    expect(policy.refuse(address, 443, 'https:')).toBeNull();
  });
  it('is spoken to by https only, on the ports named', () => {
    expect(policy.refuse('93.184.215.14', 80, 'http:')).toContain('only https');
    expect(policy.refuse('93.184.215.14', 8443, 'https:')).toContain('OUTBOUND_PORTS');
  });
});

describe('what an operator allows', () => {
  it.each([
    ['127.0.0.1:4301', { network: '127.0.0.1', prefix: 32, port: 4301 }],
    ['10.20.0.0/16', { network: '10.20.0.0', prefix: 16, port: null }],
    ['[fd00:1::]/48:443', { network: 'fd00:1::', prefix: 48, port: 443 }],
  ])('is read from %s', (text, place) => {
    expect(parseAllowedPlace(text)).toEqual(place);
  });
  it.each(['localhost', 'provider.example', '10.0.0.0/33', '10.0.0.1:0', '10.0.0.1:70000', 'fd00::1', '[fe80::1%eth0]', '', '*', '10.0.0.0/8/8'])('cannot be %j', (text) => {
    expect(() => parseAllowedPlace(text)).toThrow('must be addresses or ranges');
  });
  it('is exact in its port', () => {
    const policy = publicInternet({ allowed: [parseAllowedPlace('127.0.0.1:4301')] });
    expect(policy.refuse('127.0.0.1', 4301, 'http:')).toBeNull();
    expect(policy.refuse('127.0.0.1', 4302, 'http:')).toContain('OUTBOUND_ALLOW');
    expect(policy.refuse('::ffff:127.0.0.1', 4301, 'http:')).toContain('OUTBOUND_ALLOW');
  });
});
