import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Listens on every loopback address of both families and counts who comes. */
export class Canary {
  connections = 0;
  private readonly servers: Server[] = [];
  port = 0;

  async listen(): Promise<void> {
    for (const host of ['0.0.0.0', '::']) {
      const server = createServer((socket) => {
        this.connections += 1;
        socket.on('error', () => socket.destroy()).destroy();
      });
      server.listen({ port: this.port, host, ipv6Only: host === '::' });
      await once(server, 'listening').catch(() => undefined);
      const address = server.address();
      if (address !== null && typeof address === 'object') this.port = address.port;
      this.servers.push(server);
    }
  }

  close(): void {
    for (const server of this.servers) server.close();
  }
}
