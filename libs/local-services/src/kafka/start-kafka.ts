import { resolve } from 'node:path';
import { ARCHIVE } from './artifacts.js';
import { kafkaCacheFolder } from './cache-folder.js';
import { startPrepared, type KafkaOptions, type LocalKafka } from './launch.js';
import { prepareKafka } from './prepare-kafka.js';

/** Starts a real Kafka broker on the loopback address. It ends with this process, also when this process is killed. */
export async function startKafka(options: KafkaOptions): Promise<LocalKafka> {
  const cacheFolder = options.cacheDir ?? kafkaCacheFolder();
  await prepareKafka({ cacheDir: cacheFolder, onProgress: options.onProgress });
  return startPrepared({ ...options, dataDir: resolve(options.dataDir) }, cacheFolder, WITH_ARCHIVE);
}

/** A missing or unfit archive is ignored by the virtual machine. */
const WITH_ARCHIVE = ['-Xshare:auto', `-XX:SharedArchiveFile=${ARCHIVE}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off'] as const;
