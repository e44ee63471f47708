import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { openDatabases, openPool } from './databases.js';
import { openTestDatabase } from './testing/index.js';
import { inTenant } from './transaction.js';

const organisationId = '11111111-1111-4111-8111-111111111111';

function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

/** Signed in, ready, and over, in one packet: a server that is killed just as it answers. */
const lastWords = Buffer.concat([
  message('R', Buffer.alloc(4)),
  message('Z', Buffer.from('I')),
  message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0')),
]);

// An error that nobody listens for would end the process, and this test with it.
it('a connection that is lost in the moment it is made fails its work and does not end the process', async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(lastWords));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const databases = openDatabases(`postgres://nobody@127.0.0.1:${port}/none?sslmode=disable`);
  try {
    await expect(inTenant(databases, organisationId, (client) => client.query('select 1'))).rejects.toMatchObject({ code: 'storage.unavailable' });
  } finally {
    await databases.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

it('an idle connection that the server ends does not end the process, and the next query has another', async () => {
  const database = await openTestDatabase();
  const pool = openPool('app_custody', database.url, { max: 1 });
  try {
    const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid');
    const owner = await database.owner();
    await owner.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    while (pool.totalCount > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await pool.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid).not.toBe(rows[0]?.pid);
  } finally {
    await pool.end();
    await database.close();
  }
});
