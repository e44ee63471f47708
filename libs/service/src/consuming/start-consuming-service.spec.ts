import { createMetrics } from '@trunkline/telemetry';
import { StorageUnavailable } from '@trunkline/storage';
import { ConfigInvalid } from '../errors.js';
import { startConsumingService, type ConsumingServiceOptions } from './start-consuming-service.js';

describe('a process that consumes', () => {
  let isAway: boolean;
  let happened: string[];
  const warnings: string[] = [];
  const logger = { warn: (_facts: unknown, message: string) => warnings.push(message), error: (_facts: unknown, message: string) => warnings.push(message) };
  const answer = async (): Promise<void> => {
    if (isAway) throw StorageUnavailable.because('connecting');
  };
  const options = (changes: Partial<ConsumingServiceOptions> = {}): ConsumingServiceOptions => ({
    ops: { host: '127.0.0.1', port: 0 },
    databases: { system: { query: answer } } as never,
    eventLog: { driver: 'postgres', ping: answer },
    metrics: createMetrics(),
    logger: logger as never,
    prepare: async () => {
      await answer();
      happened.push('prepared');
    },
    consume: async () => {
      happened.push('consuming');
      return { strategy: { dependencies: () => [] }, stop: async () => void happened.push('consumers stopped') } as never;
    },
    finish: async () => void happened.push('finished'),
    release: async () => void happened.push('released'),
    retryMs: 20,
    ...changes,
  });
  const ready = async (url: string) => {
    const response = await fetch(`${url}/readyz`);
    const { missing } = (await response.json()) as { missing: { name: string; reason: string }[] };
    return { status: response.status, missing };
  };

  beforeEach(() => {
    isAway = false;
    happened = [];
    warnings.length = 0;
  });

  it('waits for a database that is away at start, names it, and consumes once it answers', async () => {
    isAway = true;
    const service = await startConsumingService(options());
    const before = await ready(service.opsUrl);
    expect(before.status).toBe(503);
    expect(before.missing.map(({ name }) => name)).toEqual(['database', 'event log (postgres)', 'consumers']);
    expect(before.missing[2]?.reason).toContain('The database is away');
    expect(warnings).toEqual(['Waiting for what is missing; starts by itself once it is there']);
    isAway = false;
    const giveUpAt = performance.now() + 10_000;
    while ((await ready(service.opsUrl)).status !== 200 && performance.now() < giveUpAt);
    expect(happened).toEqual(['prepared', 'consuming']);
    await service.stop(1_000);
    expect(happened.slice(2)).toEqual(['consumers stopped', 'finished', 'released']);
  });

  it('can be stopped while it waits', async () => {
    isAway = true;
    const service = await startConsumingService(options());
    await service.stop(1_000);
    expect(happened).toEqual(['finished', 'released']);
  });

  it('opens the operations port before it joins a group', async () => {
    const joining = Promise.withResolvers<void>();
    const { port } = await freePort();
    const starting = startConsumingService(options({ ops: { host: '127.0.0.1', port }, consume: async () => joining.promise.then(() => ({ strategy: { dependencies: () => [] }, stop: async () => undefined }) as never) }));
    const giveUpAt = performance.now() + 10_000;
    let health = 0;
    while (health !== 200 && performance.now() < giveUpAt) health = await fetch(`http://127.0.0.1:${port}/healthz`).then(({ status }) => status, () => 0);
    expect(await ready(`http://127.0.0.1:${port}`)).toMatchObject({ status: 503, missing: [{ name: 'consumers', reason: 'not joined yet' }] });
    joining.resolve();
    await (await starting).stop(1_000);
  });

  it('does not wait where waiting would not help', async () => {
    await expect(startConsumingService(options({ prepare: async () => Promise.reject(ConfigInvalid.because('wrong')) }))).rejects.toMatchObject({ code: 'config.invalid' });
    expect(happened).toEqual(['finished', 'released']);
  });
});

async function freePort(): Promise<{ readonly port: number }> {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return { port: typeof address === 'object' && address !== null ? address.port : 0 };
}
