import { createServer, type AddressInfo, type Server } from 'node:net';
import { freePort } from './free-port.js';

const listen = async (port: number): Promise<Server> => {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
};

describe('a free port', () => {
  it('is found for one asker only, and lies below those that systems give to whoever asks for any', async () => {
    const found = [];
    for (let asked = 0; asked < 20; asked += 1) found.push(await freePort());
    expect(new Set(found).size).toBe(20);
    expect(found.filter((port) => port >= 32_768)).toEqual([]);
  });

  it('is none that somebody listens on', async () => {
    const server = await listen(await freePort());
    const { port } = server.address() as AddressInfo;
    for (let asked = 0; asked < 64; asked += 1) expect(await freePort()).not.toBe(port);
    server.close();
  });
});
