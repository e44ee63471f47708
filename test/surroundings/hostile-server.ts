import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

const head = (lines: readonly string[]): string => ['HTTP/1.1 201 Created', 'content-type: application/json', ...lines, '', ''].join('\r\n');
const body = '{"id":"written-1"}';
let bomb: Buffer | undefined;
/** 64 MiB of zeroes in 64 KiB. */
const bombOf = (): Buffer => (bomb ??= gzipSync(Buffer.alloc(64 * 1024 * 1024)));

/** What a provider does with its answer to a write. */
export const hostilities = {
  'resets before the answer': (socket: Socket) => void socket.resetAndDestroy(),
  'resets within the head': (socket: Socket) => resetBehind(socket, head([`content-length: ${body.length}`]).slice(0, 30)),
  'resets within the body': (socket: Socket) => resetBehind(socket, head([`content-length: ${body.length}`]) + body.slice(0, 5)),
  'resets within a chunk': (socket: Socket) => resetBehind(socket, `${head(['transfer-encoding: chunked'])}12\r\n{"id"`),
  'ends within the body': (socket: Socket) => void socket.end(head([`content-length: ${body.length}`]) + body.slice(0, 5)),
  'drips its head, a byte at a time': (socket: Socket) => drip(socket, head([`content-length: ${body.length}`])),
  'drips its body, a byte at a time': (socket: Socket) => {
    socket.write(head(['content-length: 100000']));
    drip(socket, ' '.repeat(1_000));
  },
  'never ends its body': (socket: Socket) => {
    socket.write(head(['transfer-encoding: chunked']));
    flood(socket);
  },
  'answers with a gzip bomb': (socket: Socket) => void socket.end(Buffer.concat([Buffer.from(head([`content-length: ${bombOf().length}`, 'content-encoding: gzip'])), bombOf()])),
  'says nothing at all': () => undefined,
} as const;

export const harmless = {
  'resets after the body': (socket: Socket) => resetBehind(socket, head([`content-length: ${body.length}`]) + body),
} as const;

export type Hostility = keyof typeof hostilities | keyof typeof harmless;

const behaviours: Readonly<Record<Hostility, (socket: Socket) => void>> = { ...hostilities, ...harmless };

/** A provider's API as far as the fixture needs it: tokens are given out properly, writes are answered as told. */
export class HostileServer {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  writes = 0;

  private constructor(private readonly hostility: Hostility) {
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('data', (bytes: Buffer) => this.answer(socket, bytes.toString('latin1')));
    });
  }

  static async start(hostility: Hostility): Promise<HostileServer> {
    const hostile = new HostileServer(hostility);
    hostile.server.listen(0, '127.0.0.1');
    await once(hostile.server, 'listening');
    return hostile;
  }

  get url(): string {
    const address = this.server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  private answer(socket: Socket, request: string): void {
    if (request.startsWith('POST /token')) {
      const token = '{"access_token":"token-1","token_type":"bearer","expires_in":3600}';
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${token.length}\r\n\r\n${token}`);
    } else if (/^(?:POST|PUT) /.test(request)) {
      this.writes += 1;
      behaviours[this.hostility](socket);
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A reset overtakes bytes that have not been read, so they are given the time to arrive. */
function resetBehind(socket: Socket, text: string): void {
  socket.write(text, () => setTimeout(() => socket.resetAndDestroy(), 30));
}

function drip(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at >= text.length) clearInterval(timer);
    else socket.write(text[at] ?? '');
    at += 1;
  }, 100);
}

function flood(socket: Socket): void {
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x1_0000, ' '), Buffer.from('\r\n')]);
  let hasRoom = true;
  while (!socket.destroyed && hasRoom) hasRoom = socket.write(chunk);
  if (!socket.destroyed) socket.once('drain', () => flood(socket));
}
