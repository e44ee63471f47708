import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { isHarmlessTwice } from '@trunkline/chain';
import { allowEverywhere, createOutbound, startDeadline, type Outbound } from '@trunkline/outbound';
import { factsOf } from '../kit/action-facts.js';
import { Connection } from '../kit/connection.js';
import type { Action, Provider } from '../kit/provider.js';
import { TokenCache } from '../kit/tokens.js';
import type { ConnectorUnderTest } from './connector-under-test.js';
import { describeSignIn } from './describe-sign-in.js';
import { SimulatorControl } from './simulator-control.js';

/** Long enough for a machine that is busy with other suites. */
const deadlineMs = 20_000;

/** What an outcome must be when a write may or may not have happened. */
const doubtOf = (action: Action): 'transient' | 'unknown' => (isHarmlessTwice(action.write.repeat.method) ? 'transient' : 'unknown');

interface Bench {
  readonly control: SimulatorControl;
  readonly outbound: Outbound;
  connect(rest?: { readonly credentials?: Readonly<Record<string, unknown>>; readonly url?: string }): Connection;
}

/** The conformance suite: a provider that passes it is a connector. */
export function describeConnector(provider: Provider, under: ConnectorUnderTest): void {
  describe(`connector ${provider.id}`, () => {
    let bench: Bench;
    let stop: () => Promise<unknown>;

    beforeAll(async () => {
      const simulator = await under.simulator();
      const outbound = createOutbound({ policy: allowEverywhere });
      const credentials = under.credentials ?? { client_id: 'id', client_secret: 'secret' };
      bench = {
        control: new SimulatorControl(simulator.url),
        outbound,
        connect: (rest = {}) =>
          new Connection({
            provider,
            id: randomUUID(),
            settings: under.settings(rest.url ?? simulator.url),
            credentials: rest.credentials ?? credentials,
            tokens: new TokenCache(),
            send: (request) => outbound.request(request),
            nowMs: () => Date.now(),
          }),
      };
      stop = async () => {
        await outbound.close();
        await simulator.stop();
      };
    });
    afterAll(() => stop());
    afterEach(() => bench.control.clear());

    describeDefinition(provider, under);
    describeAccess(provider, under, () => bench);
    const { auth } = provider;
    if (auth.kind === 'oauth2' && auth.authorizationCode !== null) describeSignIn(provider, auth.authorizationCode, under);
    for (const name of Object.keys(provider.actions)) describeAction(provider, name, under, () => bench);
  });
}

function describeDefinition(provider: Provider, under: ConnectorUnderTest): void {
  it('states limits, proofs and searches with their source', () => {
    const searches = Object.values(provider.actions).flatMap(({ write: { repeat } }) => (repeat.method === 'search-first' ? [repeat.search.bounds.source] : repeat.method === 'never' ? [] : [repeat.source]));
    for (const source of [provider.source, provider.nothingWritten.source, ...provider.limits.map((limit) => limit.source), ...searches]) expect(source.length).toBeGreaterThan(10);
    expect(provider.limits.length).toBeGreaterThan(0);
    expect(provider.check.length).toBeGreaterThan(0);
  });

  it('never takes a failure of the server for a proof that nothing was written', () => {
    expect(provider.nothingWritten.statuses.filter((status) => status >= 500 || status === 408 || (status >= 200 && status < 300))).toEqual([]);
  });

  it('has an example for each action', () => {
    expect(Object.keys(under.actions).toSorted()).toEqual(Object.keys(provider.actions).toSorted());
  });

  it('keeps its secrets apart from its settings', () => {
    expect(provider.settings.filter(({ secret }) => secret)).toEqual([]);
    expect(provider.credentials.some(({ secret }) => secret)).toBe(provider.auth.kind !== 'none');
  });

  const { setup } = under;
  if (setup === undefined) return;
  it('explains each setting in SETUP.md', () => {
    expect(existsSync(setup)).toBe(true);
    const text = readFileSync(setup, 'utf8');
    expect([...provider.settings, ...provider.credentials].map(({ name }) => name).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
}

function describeAccess(provider: Provider, under: ConnectorUnderTest, bench: () => Bench): void {
  const [name = '', example] = Object.entries(under.actions)[0] ?? [];
  const action = provider.actions[name];
  if (action === undefined || example === undefined) return;
  const write = (connection: Connection, reference: string) => writeOf(connection, action, example.input, reference, deadlineMs);

  it('passes its own check', async () => {
    expect(await bench().connect().check(startDeadline(deadlineMs))).toMatchObject({ isGood: true });
  });

  it('fails its check when the credentials are revoked, and says so', async () => {
    await bench().control.revoke();
    const { isGood, findings } = await bench().connect().check(startDeadline(deadlineMs));
    expect(isGood).toBe(false);
    expect(findings[0]?.problem).toMatch(/credential|client|token|login/i);
  });

  if (provider.auth.kind === 'none') return;
  it('fetches one token for many calls at once', async () => {
    const before = await bench().control.tokensIssued();
    const connection = bench().connect();
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => write(connection, reference())));
    expect(outcomes.map(({ answer }) => answer.kind)).toEqual(outcomes.map(() => 'ok'));
    expect((await bench().control.tokensIssued()) - before).toBe(1);
  });

  it('replaces a refused token once and writes once', async () => {
    const connection = bench().connect();
    await write(connection, reference());
    await bench().control.expireTokens();
    const before = await bench().control.tokensIssued();
    const mine = reference();
    expect(await write(connection, mine)).toMatchObject({ answer: { kind: 'ok' } });
    expect((await bench().control.tokensIssued()) - before).toBe(1);
    expect(await bench().control.effectsOf(mine)).toHaveLength(1);
  });

  it('does not loop when new tokens are refused too', async () => {
    await bench().control.fault({ match: { path: example.writePath, method: action.write.method }, status: 401 });
    const connection = bench().connect();
    const before = await bench().control.tokensIssued();
    expect(await write(connection, reference())).toMatchObject({ answer: { kind: 'auth' } });
    expect(await write(connection, reference())).toMatchObject({ answer: { kind: 'auth' } });
    expect((await bench().control.tokensIssued()) - before).toBeLessThanOrEqual(3);
  });

  it('takes revoked credentials for what they are', async () => {
    const connection = bench().connect();
    await write(connection, reference());
    await bench().control.revoke();
    expect(await write(connection, reference())).toMatchObject({ answer: { kind: 'auth' } });
  });
}

function describeAction(provider: Provider, name: string, under: ConnectorUnderTest, bench: () => Bench): void {
  const action = provider.actions[name];
  const example = under.actions[name];
  if (action === undefined || example === undefined) return;
  const { method } = action.write.repeat;
  const match = { path: example.writePath, method: action.write.method };
  const write = (mine: string, withinMs = deadlineMs, connection = bench().connect()) => writeOf(connection, action, example.input, mine, withinMs);
  const search = (mine: string) => bench().connect().search({ action, input: Buffer.from(JSON.stringify(example.input)), reference: mine, deadline: startDeadline(deadlineMs) });
  const effects = async (mine: string) => (await bench().control.effectsOf(mine)).filter(({ kind }) => kind === 'created').length;
  const hasSearch = factsOf(provider, name)?.search !== undefined;

  /** After doubt: what the repeat method promises. */
  const expectRepeatable = async (mine: string, written: 0 | 1): Promise<void> => {
    if (isHarmlessTwice(method)) expect(await write(mine)).toMatchObject({ answer: { kind: 'ok' } });
    if (hasSearch && !isHarmlessTwice(method)) expect((await search(mine)).answer.kind).toBe(written === 1 ? 'found' : 'none');
    expect(await effects(mine)).toBe(isHarmlessTwice(method) ? 1 : written);
  };

  describe(`${name} (${method})`, () => {
    it('writes once and answers with every result field', async () => {
      const mine = reference();
      const { answer, call } = await write(mine);
      expect(answer).toMatchObject({ kind: 'ok', externalId: expect.any(String) as unknown });
      if (answer.kind === 'ok') expect(Object.values(answer.result as object).filter((value) => value === null)).toEqual([]);
      expect(call).toMatchObject({ method: action.write.method, durationMs: expect.any(Number) as unknown });
      expect(await effects(mine)).toBe(1);
    });

    it('does not send an input that lacks a required field', async () => {
      const before = await bench().control.callCount();
      const { answer } = await bench().connect().write({ action, input: Buffer.from('{}'), reference: reference(), repeat: method, deadline: startDeadline(deadlineMs) });
      expect(answer).toMatchObject({ kind: 'failed', class: 'data', code: 'input.incomplete' });
      expect(await bench().control.callCount()).toBe(before);
    });

    it.each([
      ['seconds', () => '7', 7_000],
      ['an HTTP date', () => new Date(Date.now() + 40_000).toUTCString(), 40_000],
    ])('is throttled until the time that Retry-After gives in %s', async (_form, retryAfter, waitMs) => {
      const sinceMs = Date.now();
      await bench().control.fault({ match, status: 429, retryAfter: retryAfter() });
      const { answer } = await write(reference());
      expect(answer.kind).toBe('throttled');
      if (answer.kind !== 'throttled') return;
      // However long the machine stood still meanwhile: a wait that begins between the two. A date has whole seconds.
      expect(answer.untilMs).toBeGreaterThanOrEqual(sinceMs + waitMs - 1_000);
      expect(answer.untilMs).toBeLessThanOrEqual(Date.now() + waitMs);
    });

    it('writes nothing when it may not write any more', async () => {
      const mine = reference();
      const { answer } = await bench().connect().write({ action, input: Buffer.from(JSON.stringify(example.input)), reference: mine, repeat: method, deadline: startDeadline(deadlineMs), mayWrite: () => 'the partition is gone' });
      expect(answer).toMatchObject({ kind: 'transient', reached: false });
      expect(await effects(mine)).toBe(0);
    });

    it(`is ${doubtOf(action)} after a failure of the server`, async () => {
      const mine = reference();
      await bench().control.fault({ match, status: 503, times: 1 });
      expect((await write(mine)).answer.kind).toBe(doubtOf(action));
      await expectRepeatable(mine, 0);
    });

    it(`is ${doubtOf(action)} when the connection is cut before anything was done`, async () => {
      const mine = reference();
      await bench().control.fault({ match, reset: 'before', times: 1 });
      expect((await write(mine)).answer.kind).toBe(doubtOf(action));
      await expectRepeatable(mine, 0);
    });

    it(`is ${doubtOf(action)} when the connection is cut after the write, and repeating has no second effect`, async () => {
      const mine = reference();
      await bench().control.fault({ match, reset: 'after', times: 1 });
      expect((await write(mine)).answer.kind).toBe(doubtOf(action));
      await expectRepeatable(mine, 1);
    });

    it(`is ${doubtOf(action)} when the success cannot be read`, async () => {
      const mine = reference();
      await bench().control.fault({ match, malformed: true, times: 1 });
      expect((await write(mine)).answer.kind).toBe(doubtOf(action));
      await expectRepeatable(mine, 1);
    });

    it(`is ${doubtOf(action)} when the answer does not come in time`, async () => {
      const connection = bench().connect();
      // The deadline is for the write alone: token and preparation are there already.
      await write(reference(), deadlineMs, connection);
      // A machine that stands still may let a short deadline pass before anything has been sent; then it is asked again with a longer one.
      for (const shortMs of [300, 2_000, 8_000]) {
        const mine = reference();
        await bench().control.clear();
        await bench().control.fault({ match, latencyMs: shortMs + 1_000, times: 1 });
        const { answer } = await write(mine, shortMs, connection);
        if (answer.kind === 'transient' && answer.reached === false) continue;
        expect(answer.kind).toBe(doubtOf(action));
        return expectRepeatable(mine, 1);
      }
      throw new Error('nothing was sent within any deadline');
    });

    it('is transient, and nothing in doubt, when nobody listens', async () => {
      const { answer } = await write(reference(), deadlineMs, bench().connect({ url: await deadAddress() }));
      expect(answer).toMatchObject({ kind: 'transient', reached: false });
    });

    it('has one effect for one effect key', async () => {
      const mine = reference();
      await write(mine);
      await expectRepeatable(mine, 1);
    });
  });
}

function writeOf(connection: Connection, action: Action, input: unknown, mine: string, deadlineMs: number): ReturnType<Connection['write']> {
  return connection.write({ action, input: Buffer.from(JSON.stringify(input)), reference: mine, repeat: action.write.repeat.method, deadline: startDeadline(deadlineMs) });
}

function reference(): string {
  return randomUUID().replaceAll('-', '');
}

async function deadAddress(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}
