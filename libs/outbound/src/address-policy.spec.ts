import type { LookupAddress } from 'node:dns';
import { createOutbound, parseAllowedPlace, publicInternet, startDeadline, type Exchange, type OutboundOptions, type Resolve } from './index.js';
import { Canary, hostsWithin } from './testing/index.js';

const canary = new Canary();
beforeAll(() => canary.listen());
afterAll(() => canary.close());
beforeEach(() => {
  canary.connections = 0;
});

async function ask(url: string, options: OutboundOptions = {}, deadlineMs = 20_000): Promise<Exchange | 'not a URL'> {
  if (!URL.canParse(url)) return 'not a URL';
  const outbound = createOutbound(options);
  try {
    return await outbound.request({ method: 'GET', url: new URL(url), headers: {}, body: null, deadline: startDeadline(deadlineMs) });
  } finally {
    await outbound.close();
  }
}

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
  it.each(hostsWithin)('%s', async (host) => {
    expect(hostsWithin.length).toBeGreaterThanOrEqual(60);
    for (const dressing of dressings) {
      const end = await ask(dressing(host), { policy: publicInternet({ ports: [443, canary.port] }) }, 1_000);
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
    let looks = 0;
    const outbound = createOutbound({ policy: policy(), resolve: (...words) => {
      looks += 1;
      flipping(...words);
    } });
    const request = (deadlineMs = 20_000) => outbound.request({ method: 'GET', url: new URL(`https://flip.example:${canary.port}/`), headers: {}, body: null, deadline: startDeadline(deadlineMs) });
    // Nobody answers there, so this one waits in vain; a machine that stands still may let so short a time pass before the name is looked up at all.
    for (const deadlineMs of [200, 2_000, 10_000]) if (looks === 0) await request(deadlineMs);
    const ends = [await request(), await request()];
    await outbound.close();
    expect(ends).toEqual([expect.objectContaining({ reason: 'address-refused' }), expect.objectContaining({ reason: 'address-refused' })]);
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
