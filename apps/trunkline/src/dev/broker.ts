import { join } from 'node:path';
import { startKafka } from '@trunkline/local-services';
import getPort, { portNumbers } from 'get-port';
import type { Closing } from './closing.js';
import { defaultPorts } from './ports.js';

/** Brokers to talk to, or null for the log in PostgreSQL. `local` starts a broker whose data stays in the state folder. */
export async function openBroker(kafka: string | undefined, folder: string, closing: Closing, onProgress: (line: string) => void): Promise<readonly string[] | null> {
  if (kafka === undefined) return null;
  if (kafka !== 'local') return kafka.split(',').map((broker) => broker.trim());
  const port = await getPort({ host: '127.0.0.1', port: portNumbers(defaultPorts.broker, defaultPorts.broker + 50) });
  const broker = await startKafka({ dataDir: join(folder, 'kafka'), port, onProgress });
  closing.add('broker', () => broker.stop());
  return broker.brokers;
}
