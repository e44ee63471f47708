import { isListening } from '@trunkline/local-services';
import getPort, { portNumbers } from 'get-port';

/** Where the local platform listens when nobody else does; a taken one means the next free one, said aloud. */
export const defaultPorts = { gateway: 4700, operations: 4701, genesys: 4711, techone: 4712, salesforce: 4713, database: 4720, broker: 4730 } as const;

const host = '127.0.0.1';
const mostAttempts = 4;

/** Starts something on the first free port from `wanted` on. Between asking and listening the port may go to another platform that starts at the same moment: then on the next one. */
export async function onFreePort<Started>(wanted: number, places: number, start: (port: number) => Promise<Started>): Promise<Started> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await getPort({ host, port: portNumbers(wanted, wanted + places) });
    try {
      return await start(port);
    } catch (error) {
      if (attempt === mostAttempts || !(await isListening(port))) throw error;
    }
  }
}
