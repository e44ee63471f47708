import { sendRaw } from '../testing/raw-http.js';
import { type TestGateway, startTestGateway } from '../testing/test-gateway.js';
import { usualPatience } from './fastify.js';

jest.setTimeout(180_000);

const patience = { headersMs: 700, requestMs: 1_000 };
/** Past the time the sender has; Node looks for late connections every half of it. */
const cutWithinMs = 6_000;

/** What does not behave like an HTTP client, on the bare connection. */
describe('on the wire', () => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await startTestGateway();
  }, 120_000);
  afterAll(() => gateway?.close());
  afterEach(() => expect(gateway.bugs).toEqual([]));

  const lines = (...parts: readonly string[]): string => parts.join('\r\n');
  const smuggled = lines('GET /api/session/methods HTTP/1.1', 'Host: gateway', '', '');
  const publishing = (...headers: readonly string[]): readonly string[] => ['POST /api/session HTTP/1.1', 'Host: gateway', 'Content-Type: application/json', ...headers, ''];

  describe('a request whose end two readers could see in two places', () => {
    it.each([
      ['Content-Length and Transfer-Encoding', lines(...publishing('Content-Length: 6', 'Transfer-Encoding: chunked'), '0', '', '') + smuggled],
      ['Transfer-Encoding and Content-Length', lines(...publishing('Transfer-Encoding: chunked', 'Content-Length: 6'), '0', '', '') + smuggled],
      ['two lengths', lines(...publishing('Content-Length: 2', 'Content-Length: 60'), '{}') + smuggled],
      ['two equal lengths', lines(...publishing('Content-Length: 2', 'Content-Length: 2'), '{}') + smuggled],
      ['a list of lengths', lines(...publishing('Content-Length: 2, 2'), '{}') + smuggled],
      ['a length with a sign', lines(...publishing('Content-Length: +2'), '{}') + smuggled],
      ['a length in hexadecimal', lines(...publishing('Content-Length: 0x2'), '{}') + smuggled],
      ['lines that end in a bare LF', lines(...publishing('Content-Length: 2'), '{}').replaceAll('\r\n', '\n') + smuggled],
      ['a bare CR', lines('POST /api/session HTTP/1.1', 'Host: gateway', 'X: a\rContent-Length: 2', '', '{}') + smuggled],
      ['white space before the colon', lines(...publishing('Content-Length : 2'), '{}') + smuggled],
      ['a folded header', lines(...publishing('X: a', ' Content-Length: 2'), '{}') + smuggled],
      ['an encoding that is not the last one', lines(...publishing('Transfer-Encoding: chunked, identity'), '0', '', '') + smuggled],
      ['an encoding nobody knows', lines(...publishing('Transfer-Encoding: xchunked'), '0', '', '') + smuggled],
      ['a chunk whose size is no number', lines(...publishing('Transfer-Encoding: chunked'), '0x2', '{}', '0', '', '') + smuggled],
      ['a chunk whose size overflows', lines(...publishing('Transfer-Encoding: chunked'), 'fffffffffffffffff', '{}', '0', '', '') + smuggled],
      ['a chunk longer than its size', lines(...publishing('Transfer-Encoding: chunked'), '1', '{}', '0', '', '') + smuggled],
      ['a chunk that ends in a bare LF', `${lines(...publishing('Transfer-Encoding: chunked'), '2')}\n{}\n0\n\n${smuggled}`],
      ['no version', `GET /api/session/methods\r\n\r\n${smuggled}`],
      ['a version nobody speaks', `GET /api/session/methods HTTP/9.9\r\nHost: gateway\r\n\r\n${smuggled}`],
      ['no host', lines('GET /api/session/methods HTTP/1.1', '', '') + smuggled],
    ])('%s: refused once, and nothing behind it is heard', async (_, bytes) => {
      const answer = await sendRaw(gateway.url, bytes);
      expect({ statuses: answer.statuses, isClosed: answer.isClosed }).toEqual({ statuses: [400], isClosed: true });
    });

    it('is not what is refused here by mistake: two requests in one go get two answers', async () => {
      expect((await sendRaw(gateway.url, smuggled + smuggled.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))).statuses).toEqual([200, 200]);
    });
  });

  it.each(['Authorization: Bearer x', 'Host: elsewhere', 'Content-Type: text/plain', 'Cookie: a=b', 'X-Csrf-Token: x', 'X-Api-Key: x', 'Origin: https://gateway', 'Ce-Id: 1'])('a header that says who or what, sent twice, is refused: %s', async (header) => {
    const once = await sendRaw(gateway.url, lines('GET /api/session/methods HTTP/1.1', ...(header.startsWith('Host') ? [] : ['Host: gateway']), header, 'Connection: close', '', ''));
    expect(once.statuses).toEqual([200]);
    const twice = await sendRaw(gateway.url, lines('GET /api/session/methods HTTP/1.1', ...(header.startsWith('Host') ? [] : ['Host: gateway']), header, header.toLowerCase(), 'Connection: close', '', ''));
    expect(twice.statuses).toEqual([400]);
    expect(twice.text).toContain('request.malformed');
  });

  it('headers beyond 16 KB, or more than a hundred, are refused', async () => {
    const large = await sendRaw(gateway.url, lines('GET /api/session/methods HTTP/1.1', 'Host: gateway', `X: ${'a'.repeat(17_000)}`, '', ''));
    expect([large.statuses, large.isClosed]).toEqual([[431], true]);
    const many = (count: number) => sendRaw(gateway.url, lines('GET /api/session/methods HTTP/1.1', 'Host: gateway', ...Array.from({ length: count }, (_, index) => `a${index}: b`), 'Connection: close', '', ''));
    expect((await many(98)).statuses).toEqual([200]);
    expect((await many(99)).statuses).toEqual([431]);
    expect((await many(1_500)).statuses).toEqual([431]);
  });

  const dribbling: Readonly<Record<string, readonly string[]>> = {
    'says nothing at all': [],
    'dribbles its headers': ['GET /api/session/methods HTTP/1.1\r\nHost: gateway\r\n', ...Array.from({ length: 60 }, (_, index) => `x-${index}: y\r\n`)],
    'dribbles one header': ['GET /api/session/methods HTTP/1.1\r\nHost: gateway\r\nX: ', ...Array<string>(60).fill('y')],
    'dribbles its body': [`${lines(...publishing('Content-Length: 1000'))}\r\n`, ...Array<string>(60).fill('{')],
    'dribbles its chunks': [`${lines(...publishing('Transfer-Encoding: chunked'))}\r\n`, ...Array<string>(60).fill('1\r\n{\r\n')],
    'announces a body and sends none': [`${lines(...publishing('Content-Length: 10'))}\r\n`],
    'dribbles with a key': [lines('POST /api/events HTTP/1.1', 'Host: gateway', 'Content-Type: application/json', 'Authorization: Bearer {key}', 'Content-Length: 1000', '', ''), ...Array<string>(60).fill('{')],
  };

  it(`who ${Object.keys(dribbling).join(', ')} is cut in time, and holds up nobody meanwhile`, async () => {
    const hasty = await startTestGateway({ patience });
    const slow = Promise.all(Object.entries(dribbling).flatMap(([kind, pieces]) => Array.from({ length: 40 }, async () => ({ kind, ...(await sendRaw(hasty.url, pieces.map((piece) => piece.replace('{key}', hasty.apiKey)), { pauseMs: 100, silenceMs: cutWithinMs + 5_000 })) }))));
    try {
      const times: number[] = [];
      for (let asked = 0; asked < 30; asked += 1) {
        const startedAt = performance.now();
        expect((await hasty.send('GET', '/api/runs')).status).toBe(200);
        times.push(performance.now() - startedAt);
      }
      // One after the other: a machine that stands still for a moment delays one or two of them, a gateway that is held up all.
      expect(times.toSorted((one, other) => one - other).at(-4)).toBeLessThan(2_000);
      const answers = await slow;
      expect(hasty.bugs).toEqual([]);
      expect(answers.filter(({ isClosed, tookMs }) => !isClosed || tookMs > cutWithinMs)).toEqual([]);
      expect(answers.filter(({ statuses }) => statuses.some((status) => status !== 408))).toEqual([]);
    } finally {
      await slow;
      await hasty.close();
    }
  });

  it('who is not cut in tests only: the usual times are seconds', () => expect(usualPatience).toEqual({ headersMs: 10_000, requestMs: 30_000 }));

  it('what is not HTTP is answered with the security headers too, and over https browsers are told to stay there', async () => {
    const broken = await sendRaw(gateway.url, 'nonsense\r\n\r\n');
    expect(broken.text).toMatch(/x-content-type-options: nosniff\r\n/);
    expect(broken.text).not.toContain('strict-transport-security');
    const secure = await startTestGateway({ publicUrl: 'https://trunkline.example.org' });
    try {
      expect((await secure.send('GET', '/api/nowhere')).headers.get('strict-transport-security')).toBe('max-age=63072000');
      expect((await sendRaw(secure.url, 'nonsense\r\n\r\n')).text).toContain('strict-transport-security: max-age=63072000');
    } finally {
      await secure.close();
    }
  }, 120_000);
});
