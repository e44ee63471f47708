import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSimulator, type StartSimulator } from '@trunkline/simulators';

/** A simulator with a journal of its own, without limits and search lag unless asked for. */
export async function simulatorFor(start: Omit<StartSimulator, 'dataDir'>): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), `trunkline-${start.provider}-`));
  const running = await startSimulator({ limits: 'off', searchLagMs: 0, credentials: { clientId: 'id', clientSecret: 'secret' }, ...start, dataDir });
  return {
    url: running.url,
    stop: async () => {
      await running.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
