import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { AddressNotAllowed, allowEverywhere, createOutbound, startDeadline, type Clock, type Exchange, type FailureInside, type Outbound, type OutboundOptions, type OutboundRequest } from './index.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

async function listening<S extends Server | TcpServer>(server: S): Promise<URL> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({
    close: () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    },
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const serve = (listener: RequestListener) => listening(createServer(listener));

function client(options: OutboundOptions = {}): Outbound {
  const outbound = createOutbound({ policy: allowEverywhere, ...options });
  open.push(outbound);
  return outbound;
}

const post = (url: URL, rest: Partial<OutboundRequest> = {}): OutboundRequest => ({ method: 'POST', url, headers: { 'content-type': 'application/json' }, body: Buffer.from('{"a":1}'), deadline: startDeadline(20_000), ...rest });
/** A machine that stands still may let a short deadline pass before anything has left; then it is tried again with a longer one. */
async function untilLeft(attempt: (deadline: OutboundRequest['deadline']) => Promise<Exchange>): Promise<Exchange> {
  let exchange = await attempt(startDeadline(60));
  for (const longerMs of [1_000, 10_000]) if (exchange.kind === 'failed' && !exchange.firstByteLeft) exchange = await attempt(startDeadline(longerMs));
  return exchange;
}
const failure = (exchange: Exchange) => (exchange.kind === 'failed' ? { reason: exchange.reason, firstByteLeft: exchange.firstByteLeft } : exchange);

it('gives status, headers in lower case and the body', async () => {
  const url = await serve((request, response) => {
    response.writeHead(201, { 'X-Request-Id': 'r-1' });
    request.pipe(response);
  });
  const answer = await client().request(post(url));
  expect(answer).toMatchObject({ kind: 'answered', status: 201, headers: { 'x-request-id': 'r-1' } });
  expect(answer.kind === 'answered' && answer.body.toString()).toBe('{"a":1}');
});

it('follows no redirect', async () => {
  const url = await serve((_request, response) => response.writeHead(302, { location: '/other' }).end());
  expect(await client().request(post(url))).toMatchObject({ kind: 'answered', status: 302, headers: { location: '/other' } });
});

it('says that nothing left when nobody listens', async () => {
  const url = await listening(createTcpServer());
  await open.pop()?.close();
  expect(failure(await client().request(post(url)))).toEqual({ reason: 'unreachable', firstByteLeft: false });
});

it.each<[string, string, (socket: Socket) => unknown]>([
  ['what TLS says', 'https:', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['a socket that ends', 'http:', (socket) => socket.once('data', () => socket.resetAndDestroy())],
  ['an answer that is no HTTP', 'http:', (socket) => socket.once('data', () => socket.end('nonsense\r\n\r\n'))],
])('tells %s by a code and a few words; files, lines and addresses go to the log', async (_what, protocol, onConnection) => {
  const url = await listening(createTcpServer((socket) => onConnection(socket.on('error', () => undefined))));
  url.protocol = protocol;
  const inside: FailureInside[] = [];
  const exchange = await client({ onFailure: (failed) => void inside.push(failed) }).request(post(url));
  expect(exchange).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/^([A-Z_0-9]+: )?[a-zA-Z ]+$/) as unknown });
  expect(inside).toMatchObject([{ host: url.host, detail: expect.stringMatching(/.+/) as unknown }]);
});

it('says that the request left when the connection is reset before an answer', async () => {
  const url = await listening(createTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy())));
  expect(failure(await client().request(post(url)))).toEqual({ reason: 'cut', firstByteLeft: true });
});

it('says that the request left when the answer breaks off', async () => {
  const url = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"half"');
    setImmediate(() => response.socket?.destroy());
  });
  expect(await client().request(post(url))).toMatchObject({ kind: 'failed', reason: 'cut', firstByteLeft: true, status: 200 });
});

it('resets the socket at the deadline', async () => {
  const server = createTcpServer();
  const ended = new Promise<unknown>((resolve) => server.on('connection', (socket) => socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))));
  const url = await listening(server);
  expect(failure(await untilLeft((deadline) => client().request(post(url, { deadline }))))).toEqual({ reason: 'deadline', firstByteLeft: true });
  expect(await ended).toBe('ECONNRESET');
});

it('holds the deadline against a body that drips', async () => {
  const url = await serve((_request, response) => {
    const drip = setInterval(() => response.write('x'), 10);
    response.on('close', () => clearInterval(drip));
  });
  expect(failure(await untilLeft((deadline) => client().request(post(url, { deadline }))))).toEqual({ reason: 'deadline', firstByteLeft: true });
});

it('writes nothing once the wall clock says that the deadline has passed, even if the monotonic one stood still', async () => {
  let calls = 0;
  const url = await serve((_request, response) => {
    calls += 1;
    response.end();
  });
  let wallMs = 1_000;
  const asleep: Clock = { monotonicMs: () => 0, wallMs: () => wallMs };
  const deadline = startDeadline(5_000, asleep);
  wallMs += 60_000;
  expect(failure(await client().request(post(url, { deadline })))).toEqual({ reason: 'deadline', firstByteLeft: false });
  expect(calls).toBe(0);
});

it('asks right before the write whether it still may, and writes nothing when not', async () => {
  let calls = 0;
  const url = await serve((_request, response) => {
    calls += 1;
    response.end();
  });
  const outbound = client();
  expect(failure(await outbound.request(post(url, { mayWrite: () => 'the partition is gone' })))).toEqual({ reason: 'withheld', firstByteLeft: false });
  expect(calls).toBe(0);
  expect(await outbound.request(post(url))).toMatchObject({ kind: 'answered', status: 200 });
});

it('does not let a request leave after its deadline passed while it waited for a connection', async () => {
  const bodies: string[] = [];
  const url = await serve((request, response) => {
    request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
    setTimeout(() => response.end(), 200);
  });
  const outbound = client({ connectionsPerOrigin: 1 });
  const [first, second] = await Promise.all([outbound.request(post(url, { body: Buffer.from('first') })), outbound.request(post(url, { body: Buffer.from('second'), deadline: startDeadline(50) }))]);
  expect(first).toMatchObject({ kind: 'answered' });
  expect(failure(second)).toEqual({ reason: 'deadline', firstByteLeft: false });
  expect(await outbound.request(post(url, { body: Buffer.from('third') }))).toMatchObject({ kind: 'answered' });
  expect(bodies).toEqual(['first', 'third']);
});

it('stops reading at the cap', async () => {
  const url = await serve((_request, response) => response.end(Buffer.alloc(3 * 1024 * 1024)));
  expect(failure(await client().request(post(url)))).toEqual({ reason: 'too-large', firstByteLeft: true });
});

it('does not unfold a small compressed answer beyond the cap', async () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(1024 * 1024);
  const url = await serve((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
  expect(failure(await client().request(post(url)))).toEqual({ reason: 'unreadable', firstByteLeft: true });
});

it('reads a compressed answer below the cap', async () => {
  const url = await serve((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"ok":true}')));
  const answer = await client().request(post(url));
  expect(answer.kind === 'answered' && answer.body.toString()).toBe('{"ok":true}');
});

describe('with an address policy', () => {
  const policy = { refuse: (address: string) => (address.startsWith('127.') || address === '::1' ? 'loopback' : null) };

  it('refuses an address in the URL', async () => {
    const url = await serve((_request, response) => response.end());
    expect(failure(await client({ policy }).request(post(url)))).toEqual({ reason: 'address-refused', firstByteLeft: false });
  });

  it('refuses a name that resolves to such an address', async () => {
    const url = await serve((_request, response) => response.end());
    url.hostname = 'localhost';
    expect(failure(await client({ policy }).request(post(url)))).toEqual({ reason: 'address-refused', firstByteLeft: false });
  });

  it('tells the tenant that it is not allowed and nothing else; the log gets the reason', async () => {
    const inside: FailureInside[] = [];
    const outbound = client({ policy, onFailure: (failed) => void inside.push(failed) });
    for (const host of ['localhost', '127.0.0.1']) expect(await outbound.request(post(new URL(`http://${host}:9/`)))).toMatchObject({ reason: 'address-refused', detail: 'this address is not allowed' });
    expect(inside).toEqual([{ host: 'localhost:9', reason: 'address-refused', detail: expect.stringMatching(/^localhost resolves to (127\.0\.0\.1|::1): loopback$/) as unknown }, { host: '127.0.0.1:9', reason: 'address-refused', detail: 'loopback' }]);
    expect(AddressNotAllowed.title.toLowerCase()).toBe('this address is not allowed');
  });
});
