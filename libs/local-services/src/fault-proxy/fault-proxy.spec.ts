import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { isKafkaRequest, isPostgresCommit, startFaultProxy, type FaultProxy } from './fault-proxy.js';

describe('fault proxy', () => {
  let target: Server;
  let targetPort = 0;
  const handled: string[] = [];
  let proxy: FaultProxy;

  beforeAll(async () => {
    target = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes: Buffer) => {
        handled.push(bytes.toString());
        socket.write(`answer to ${bytes.toString()}`);
      });
    });
    target.listen(0, '127.0.0.1');
    await once(target, 'listening');
    const address = target.address();
    targetPort = typeof address === 'object' && address !== null ? address.port : 0;
  });

  afterAll(() => new Promise((resolve) => target.close(resolve)));

  beforeEach(async () => {
    handled.length = 0;
    proxy = await startFaultProxy({ targetPort });
  });

  afterEach(() => proxy.stop());

  it('forwards both ways', async () => {
    const socket = await connected(proxy.port);
    await expect(ask(socket, 'one')).resolves.toBe('answer to one');
    socket.destroy();
  });

  it('drops the response of one matching request after the target has handled it', async () => {
    const socket = await connected(proxy.port);
    const happened = proxy.failNextResponse('drop', (request) => request.toString() === 'two');
    await ask(socket, 'one');
    const closed = once(socket, 'close');
    socket.write('two');
    await Promise.all([happened, closed]);
    expect(handled).toEqual(['one', 'two']);
    const again = await connected(proxy.port);
    await expect(ask(again, 'two')).resolves.toBe('answer to two');
    again.destroy();
  });

  it('answers one matching request itself, and the ones around it are answered by the target', async () => {
    const socket = await connected(proxy.port);
    const happened = proxy.answerNext((request) => request.toString() === 'two', () => Buffer.from('not today'));
    await expect(ask(socket, 'one')).resolves.toBe('answer to one');
    await expect(ask(socket, 'two')).resolves.toBe('not today');
    await happened;
    await expect(ask(socket, 'two')).resolves.toBe('answer to two');
    expect(handled).toEqual(['one', 'two']);
    socket.destroy();
  });

  it('loses one matching request before the target has it', async () => {
    const socket = await connected(proxy.port);
    const happened = proxy.failNextResponse('lose', (request) => request.toString() === 'two');
    await ask(socket, 'one');
    const closed = once(socket, 'close');
    socket.write('two');
    await Promise.all([happened, closed]);
    expect(handled).toEqual(['one']);
  });

  it.each([
    { kind: 'reset-within', arrived: 'answer ' },
    { kind: 'reset-after', arrived: 'answer to one' },
  ] as const)('resets the connection: $kind', async ({ kind, arrived }) => {
    const socket = await connected(proxy.port);
    void proxy.failNextResponse(kind, () => true);
    const error = once(socket, 'error');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    socket.write('one');
    expect(await error).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(text.trimEnd()).toBe(arrived.trimEnd());
  });

  it('lets a connection fall silent without closing it', async () => {
    const socket = await connected(proxy.port);
    const happened = proxy.failNextResponse('silence', () => true);
    socket.write('one');
    await happened;
    expect(socket.destroyed).toBe(false);
    expect(proxy.openConnections()).toBe(1);
    socket.destroy();
  });

  it('holds bytes back while paused and hands them on afterwards', async () => {
    const socket = await connected(proxy.port);
    await ask(socket, 'one');
    proxy.pause();
    const answer = ask(socket, 'two');
    const direct = await connected(targetPort);
    await ask(direct, 'past the proxy');
    expect(handled).not.toContain('two');
    proxy.resume();
    await expect(answer).resolves.toBe('answer to two');
    socket.destroy();
    direct.destroy();
  });

  it('cuts what is open and accepts what comes next', async () => {
    const socket = await connected(proxy.port);
    await ask(socket, 'one');
    const closed = once(socket, 'close');
    proxy.cut();
    await closed;
    const again = await connected(proxy.port);
    await expect(ask(again, 'two')).resolves.toBe('answer to two');
    again.destroy();
  });

  it('knows a commit in a message of PostgreSQL', () => {
    expect(isPostgresCommit(Buffer.from('Q\0\0\0\x0bCOMMIT\0'))).toBe(true);
    expect(isPostgresCommit(Buffer.from('E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04Q\0\0\0\x0bcommit\0'))).toBe(true);
    expect(isPostgresCommit(Buffer.from('Q\0\0\0\x0dROLLBACK\0'))).toBe(false);
  });

  it('knows a Kafka request by its interface number', () => {
    const produce = Buffer.from([0, 0, 0, 2, 0, 0]);
    expect(isKafkaRequest(0)(produce)).toBe(true);
    expect(isKafkaRequest(1)(produce)).toBe(false);
  });
});

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

function ask(socket: Socket, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes.toString()));
    socket.once('error', reject);
    socket.write(question);
  });
}
