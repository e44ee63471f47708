import { connect } from 'node:net';
import { request } from 'node:http';

export interface RawAnswer {
  /** Everything that came back. */
  readonly text: string;
  /** One per answer in it. */
  readonly statuses: readonly number[];
  readonly isClosed: boolean;
  readonly tookMs: number;
}

/** Sends these bytes, one piece after another with a pause between them, and hears what comes back until the connection closes. One that stays open is given up when it has been silent for so long: longer than any machine stands still, unless somebody asks for less. */
export function sendRaw(url: string, pieces: string | readonly string[], { pauseMs = 0, silenceMs = 20_000 }: { readonly pauseMs?: number; readonly silenceMs?: number } = {}): Promise<RawAnswer> {
  const startedAt = performance.now();
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const socket = connect(Number(port), hostname);
    const end = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, statuses: [...text.matchAll(/(?:^|[^\n])?HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)), isClosed, tookMs: performance.now() - startedAt });
    };
    const listen = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => end(false), silenceMs);
    };
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      listen();
    });
    // A reset is a way of closing.
    socket.on('error', () => undefined).on('close', () => end(true));
    const left = typeof pieces === 'string' ? [pieces] : [...pieces];
    const write = (): void => {
      const piece = left.shift();
      if (socket.destroyed || socket.closed) return;
      if (piece === undefined) return listen();
      socket.write(piece, 'latin1');
      if (pauseMs === 0) write();
      else setTimeout(write, pauseMs);
    };
    socket.on('connect', write);
  });
}

/** Like fetch, but the path leaves exactly as it is written. */
export function sendPath(url: string, method: string, path: string, headers: Readonly<Record<string, string>>, body?: string): Promise<{ readonly status: number; readonly text: string; readonly headers: Readonly<Record<string, unknown>> }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sending = request({ hostname, port, method, path, headers: { ...headers, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }) } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
    });
    sending.on('error', reject).end(body);
  });
}
