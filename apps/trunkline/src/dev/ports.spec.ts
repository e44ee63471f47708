import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { freePort } from '@trunkline/local-services';
import { onFreePort } from './ports.js';

describe('a free port', () => {
  const open: Server[] = [];
  const listen = async (port: number): Promise<Server> => {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    open.push(server);
    return server;
  };
  afterEach(() => {
    for (const server of open.splice(0)) server.close();
  });

  it('is the wanted one, or the next', async () => {
    const wanted = await freePort();
    expect(await onFreePort(wanted, 50, (port) => Promise.resolve(port))).toBe(wanted);
    await listen(wanted);
    expect(await onFreePort(wanted, 50, (port) => Promise.resolve(port))).toBeGreaterThan(wanted);
  });

  it('is another one when somebody takes it between asking and listening', async () => {
    const asked: number[] = [];
    const server = await onFreePort(await freePort(), 50, async (port) => {
      asked.push(port);
      if (asked.length === 1) await listen(port);
      return listen(port);
    });
    expect(asked).toHaveLength(2);
    expect((server.address() as AddressInfo).port).toBe(asked[1]);
  });

  it('does not start again what failed for another reason', async () => {
    let starts = 0;
    const failing = onFreePort(await freePort(), 50, () => {
      starts += 1;
      return Promise.reject(new Error('no such provider'));
    });
    await expect(failing).rejects.toThrow('no such provider');
    expect(starts).toBe(1);
  });
});
