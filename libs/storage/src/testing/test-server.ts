import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@trunkline/local-services';

export interface TestServer {
  readonly url: string;
  close(): Promise<void>;
}

/** The server given by TEST_DATABASE_SERVER (superuser URL), shared by all specs; without it one started for this spec alone. */
export async function openTestServer(): Promise<TestServer> {
  const given = process.env['TEST_DATABASE_SERVER'];
  if (given) return { url: given, close: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-test-'));
  // The database has a user of its own when we are root.
  await chmod(folder, 0o755);
  const server = await startPostgres({ dataDir: join(folder, 'postgres'), settings: ['fsync=off'] });
  return {
    url: server.url,
    close: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
