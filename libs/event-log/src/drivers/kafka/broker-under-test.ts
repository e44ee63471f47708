import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startFaultProxy, startKafka, type FaultProxy, type LocalKafka } from '@trunkline/local-services';

/** A broker that a suite may kill, with a proxy through which every client reaches it. */
export interface BrokerUnderTest {
  /** Leads through the proxy, and the broker sends clients there too. */
  readonly brokers: readonly string[];
  readonly proxy: FaultProxy;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startBrokerUnderTest(): Promise<BrokerUnderTest> {
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-kafka-driver-'));
  const port = await freePort();
  const proxy = await startFaultProxy({ targetPort: port, framing: 'length-prefixed' });
  let broker: LocalKafka = await startKafka({ dataDir, port, advertisedPort: proxy.port });
  return {
    brokers: [`127.0.0.1:${proxy.port}`],
    proxy,
    kill: () => broker.kill(),
    restart: async () => {
      broker = await startKafka({ dataDir, port, advertisedPort: proxy.port });
    },
    stop: async () => {
      await proxy.stop();
      await broker.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
