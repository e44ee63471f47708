import { connect, createServer, type Socket } from 'node:net';
import { createIdentity } from '@trunkline/identity';
import type { Databases } from '@trunkline/storage';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export const masterKeys = { keys: [{ id: 'test', key: Buffer.alloc(32, 7) }], current: 'test' };

/** A logger that keeps what would be logged; a refusal of a sender's mistake logs nothing. */
export function keptLog(): { readonly lines: unknown[]; warn(): void; error(facts: object): void; info(): void; debug(): void; child(): never } {
  const lines: unknown[] = [];
  return {
    lines,
    warn: () => undefined,
    error: (facts) => void lines.push(facts),
    info: () => undefined,
    debug: () => undefined,
    child(): never {
      return this as never;
    },
  };
}

export async function organisationWithKey(databases: Databases): Promise<{ readonly organisationId: string; readonly apiKey: string }> {
  const identity = createIdentity({ databases });
  const { id } = await identity.createOrganisation({ name: 'Harbour City Council' });
  const { apiKey } = await identity.createApiKey({ organisationId: id, name: 'spec', scopes: ['admin'] });
  return { organisationId: id, apiKey };
}

export async function send(url: string, method: string, body: RequestInit['body'] | object | undefined, headers: Record<string, string>): Promise<Answer> {
  const isRaw = body === undefined || body === null || typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;
  const answer = await fetch(url, { method, body: isRaw ? body : JSON.stringify(body), headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers }, duplex: 'half' } as RequestInit);
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown> };
}

/** RFC 9457, a registered code, a way out, and nothing of our inside. */
export function expectClearRefusal(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status, code });
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ type: `urn:trunkline:problem:${code}`, title: expect.any(String), detail: expect.any(String), fix: expect.stringMatching(/\w+ \w+/) });
  expect(answer.text).not.toMatch(/\bat \S+ \(|node_modules|\.[tj]s:\d|file:\/\/|\/src\//);
}

/** Polls until the condition holds; real processes take the time they take. */
export async function until<Value>(what: string, probe: () => Promise<Value | null>, timeoutMs = 20_000): Promise<Value> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== null) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** One address for a server that comes back on another port, as a name in front of it would be. */
export interface StableAddress {
  readonly port: number;
  leadTo(port: number): void;
  close(): Promise<void>;
}

export async function stableAddress(): Promise<StableAddress> {
  let target = 9;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    leadTo: (port) => {
      target = port;
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
