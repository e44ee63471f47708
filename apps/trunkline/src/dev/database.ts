import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@trunkline/local-services';
import type { Closing } from './closing.js';
import { defaultPorts } from './ports.js';

/** DATABASE_URL, or a server of our own whose data stays in the state folder and which is started again when it dies. */
export async function openDatabase(folder: string, closing: Closing, onProgress: (line: string) => void): Promise<string> {
  const given = process.env['DATABASE_URL'];
  if (given !== undefined) return given;
  const dataDir = join(folder, 'pg');
  let isClosing = false;
  let server = await startPostgres({ dataDir, port: defaultPorts.database, onProgress });
  closing.add('database', async () => {
    isClosing = true;
    await server.stop();
  });
  const { port, url } = server;
  const watch = (watched: PostgresServer): void => {
    void watched.exited.then(async () => {
      if (isClosing) return;
      onProgress('The database has ended by itself; starting it again. Nothing accepted is lost, publishers get 503 meanwhile.');
      try {
        server = await startPostgres({ dataDir, port, onProgress });
        watch(server);
      } catch (error) {
        onProgress(`The database could not be started again: ${error instanceof Error ? error.message : String(error)}. Stop with Ctrl-C, then \`npm start\`.`);
      }
    });
  };
  watch(server);
  return url;
}
