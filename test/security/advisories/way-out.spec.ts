import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { readGatewayConfig } from '@trunkline/app-gateway';
import { allowEverywhere, createOutbound, parseAllowedPlace, publicInternet, startDeadline, type Exchange, type Outbound, type OutboundOptions } from '@trunkline/outbound';
import { Canary } from '@trunkline/outbound/testing';
import { openOutbound } from '@trunkline/service';

jest.setTimeout(60_000);

describe('calls to addresses that customers give', () => {
  const canary = new Canary();
  beforeAll(() => canary.listen());
  beforeEach(() => (canary.connections = 0));
  afterAll(() => canary.close());

  const ask = async (outbound: Outbound, url: string): Promise<Exchange> => {
    try {
      return await outbound.request({ method: 'GET', url: new URL(url), headers: {}, body: null, deadline: startDeadline(20_000) });
    } finally {
      await outbound.close();
    }
  };
  /** What an operator would have set who set nothing, and what other products read to switch their guard off. */
  const config = (environment: Record<string, string> = {}) => readGatewayConfig({ DATABASE_URL: 'postgres://localhost/x', ...environment });

  it('n8n SSRF guard, off by default: ours is on in a gateway that nobody configured, and cannot be switched off', async () => {
    const switches: readonly Record<string, string>[] = [{}, { N8N_SSRF_PROTECTION_ENABLED: 'false', AP_NETWORK_MODE: 'UNRESTRICTED', OUTBOUND_GUARD: 'off', NODE_ENV: 'development', HTTP_PROXY: `http://127.0.0.1:${canary.port}`, NODE_USE_ENV_PROXY: '1' }];
    for (const environment of switches) {
      const found = config(environment);
      expect(found).toMatchObject({ outboundAllow: [], outboundPorts: [443] });
      for (const host of ['127.0.0.1', 'localhost', '[::1]', '169.254.169.254', '10.0.0.1', '0.0.0.0', '2130706433', '127.1']) expect(await ask(openOutbound({ ...found, outboundPorts: [443, canary.port] }), `https://${host}:${canary.port}/`)).toMatchObject({ kind: 'failed', reason: 'address-refused' });
    }
    expect(canary.connections).toBe(0);
  });

  it('n8n SSRF guard, passed by with an allowed name: names are not taken, and what a name leads to is looked at', async () => {
    for (const name of ['localhost', 'crm.internal', '*', '*.internal', 'any', 'true']) expect(() => config({ OUTBOUND_ALLOW: name })).toThrow();
    const allowed = publicInternet({ allowed: [parseAllowedPlace('10.9.9.9')], ports: [canary.port] });
    const resolve: OutboundOptions['resolve'] = (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
    expect(await ask(createOutbound({ policy: allowed, resolve }), `https://crm.internal:${canary.port}/`)).toMatchObject({ reason: 'address-refused' });
    expect(canary.connections).toBe(0);
  });

  it('Activepieces AP_NETWORK_MODE: one way out, guarded at the address, at the name and at the connection', async () => {
    const policy = publicInternet({ ports: [canary.port], allowed: [parseAllowedPlace('240.0.0.1')] });
    const answers = [[{ address: '240.0.0.1', family: 4 }], [{ address: '127.0.0.1', family: 4 }]];
    let asked = 0;
    const outbound = createOutbound({ policy, resolve: (_name, _options, callback) => callback(null, answers[Math.min(asked++, 1)] ?? []) });
    const request = (withinMs: number) => outbound.request({ method: 'GET', url: new URL(`https://flips.example:${canary.port}/`), headers: {}, body: null, deadline: startDeadline(withinMs) });
    await request(200);
    expect(await request(20_000)).toMatchObject({ reason: 'address-refused' });
    await outbound.close();
    expect(await ask(createOutbound({ policy }), `https://127.0.0.1:${canary.port}/`)).toMatchObject({ reason: 'address-refused' });
    expect(canary.connections).toBe(0);
  });
});

describe('what comes back, and what is sent', () => {
  const open: (Server | Outbound)[] = [];
  afterEach(async () => {
    for (const thing of open.splice(0)) await thing.close();
  });

  async function serving(answer: (socket: Socket, heard: () => string) => void): Promise<string> {
    const server = createServer((socket) => {
      let text = '';
      socket.on('error', () => undefined).on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        answer(socket, () => text);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  const post = (url: string, headers: Readonly<Record<string, string>> = {}): Promise<Exchange> => {
    const outbound = createOutbound({ policy: allowEverywhere });
    open.push(outbound);
    return outbound.request({ method: 'POST', url: new URL(url), headers, body: Buffer.from('{"a":1}'), deadline: startDeadline(20_000) });
  };

  it.each([
    ['two lengths of different capitals', { 'content-length': '7', 'Content-Length': '70' }],
    ['a length that is not the body’s', { 'Content-Length': '3' }],
    ['a transfer encoding of its own', { 'Transfer-Encoding': 'chunked' }],
    ['a line break in a value', { 'x-name': 'a\r\nContent-Length: 70' }],
    ['a line break in a name', { 'x-name\r\nContent-Length': '70' }],
    ['a connection header', { Connection: 'Upgrade', Upgrade: 'h2c' }],
  ])('undici CVE-2026-1525: %s: one length leaves, or nothing does', async (_, headers) => {
    let heard = (): string => '';
    const url = await serving((socket, text) => {
      heard = text;
      if (text().includes('\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
    });
    const end = await post(url, headers);
    if (end.kind === 'failed') expect(end.firstByteLeft && /\r\n\r\n/.test(heard())).toBe(false);
    const lengths = heard().match(/^content-length:.*$/gim) ?? [];
    expect({ lengths: lengths.length <= 1, encodings: /^transfer-encoding:/im.test(heard()), upgrade: /^upgrade:/im.test(heard()) }).toEqual({ lengths: true, encodings: false, upgrade: false });
    if (lengths.length === 1) expect(lengths[0]?.toLowerCase()).toBe('content-length: 7');
  });

  it('undici CVE-2026-22036: an answer packed again and again is not unpacked again and again', async () => {
    let body: Buffer = gzipSync(Buffer.alloc(1024 * 1024));
    for (let layer = 0; layer < 4; layer += 1) body = gzipSync(body);
    for (const encoding of [Array(5).fill('gzip').join(', '), Array(1_000).fill('gzip').join(','), 'gzip, identity', 'br, gzip']) {
      const url = await serving((socket) => socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${body.length}\r\n\r\n`), body])));
      expect(await post(url)).toMatchObject({ kind: 'failed', reason: 'unreadable' });
    }
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const url = await serving((socket) => socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`), bomb])));
    expect(await post(url)).toMatchObject({ kind: 'failed', reason: 'unreadable' });
  });

  it('undici CVE-2026-2229: a server that switches to another protocol is a failed call, and the process goes on', async () => {
    for (const line of ['101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\nsec-websocket-extensions: permessage-deflate; server_max_window_bits=7', '101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade']) {
      const url = await serving((socket) => socket.end(`HTTP/1.1 ${line}\r\n\r\n\u0081\u007f`));
      expect(await post(url)).toMatchObject({ kind: 'failed' });
    }
    const url = await serving((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
    expect(await post(url)).toMatchObject({ kind: 'answered', status: 200 });
  });

  it('a flood of headers ends the call, not the process', async () => {
    const url = await serving((socket) => socket.end(`HTTP/1.1 200 OK\r\n${Array.from({ length: 20_000 }, (_, index) => `x-${index}: y\r\n`).join('')}content-length: 2\r\n\r\n{}`));
    expect(await post(url)).toMatchObject({ kind: 'failed' });
  });
});
