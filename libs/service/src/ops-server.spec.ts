import { createMetrics } from '@trunkline/telemetry';
import type { Dependency } from './readiness.js';
import { startOps } from './ops-server.js';
import type { OpsServer } from './ops-server.js';

const fine: Dependency = { name: 'database', check: async () => null };

describe('the operations port', () => {
  let ops: OpsServer | undefined;
  afterEach(() => ops?.close());

  const start = async (...dependencies: Dependency[]): Promise<(path: string, init?: RequestInit) => Promise<{ status: number; body: string }>> => {
    const server = (ops = await startOps({ port: 0, dependencies, metrics: createMetrics(), checkTimeoutMs: 30 }));
    return async (path, init) => {
      const response = await fetch(`${server.url}${path}`, init);
      return { status: response.status, body: await response.text() };
    };
  };

  it('is healthy while the process turns, ready or not', async () => {
    const get = await start({ name: 'database', check: async () => 'away' });
    expect((await get('/healthz')).status).toBe(200);
  });

  it('is ready when nothing is missing', async () => {
    const get = await start(fine);
    expect(await get('/readyz')).toEqual({ status: 200, body: '{"ready":true,"missing":[]}\n' });
  });

  it('names what is missing and why: a reason, a failure, a hang; without secrets or stacks', async () => {
    const get = await start(
      fine,
      { name: 'consumers', check: async () => 'ledger: stalled' },
      { name: 'database', check: () => Promise.reject(new Error('connect postgres://u:hunter2@h/d\n at x.ts')) },
      { name: 'broker', check: () => new Promise(() => undefined) },
    );
    const { status, body } = await get('/readyz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({
      ready: false,
      missing: [
        { name: 'consumers', reason: 'ledger: stalled' },
        { name: 'database', reason: 'connect postgres://u:[redacted]@h/d' },
        { name: 'broker', reason: 'no answer within 30 ms' },
      ],
    });
  });

  it('is not ready once it drains', async () => {
    const get = await start(fine);
    ops?.drain();
    expect(await get('/readyz')).toMatchObject({ status: 503, body: expect.stringContaining('shutting down') });
    expect((await get('/healthz')).status).toBe(200);
  });

  it('prints metrics', async () => {
    const get = await start();
    expect(await get('/metrics')).toMatchObject({ status: 200, body: expect.stringContaining('# TYPE trunkline_topic_lag_records gauge') });
  });

  it.each([['/'], ['/__proto__'], ['/constructor'], ['/healthz/'], ['//healthz']])('answers 404 to %s', async (path) => {
    const get = await start();
    expect((await get(path)).status).toBe(404);
  });

  it('answers GET only', async () => {
    const get = await start();
    expect((await get('/healthz', { method: 'POST' })).status).toBe(405);
  });

  it('says that its port is taken', async () => {
    await start();
    await expect(startOps({ port: ops?.port ?? 0, dependencies: [] })).rejects.toMatchObject({ code: 'service.ops_port_taken' });
  });
});
