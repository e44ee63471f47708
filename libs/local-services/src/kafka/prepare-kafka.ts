import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { JVM_FLAGS, KAFKA_VERSION, POM, RECIPE, classPath, mavenArguments } from './artifacts.js';
import { isPrepared, kafkaCacheFolder } from './cache-folder.js';
import { PreparationFailed } from './errors.js';
import { serverProperties } from './properties.js';
import { demandRequirements } from './requirements.js';

export interface PreparationOptions {
  readonly cacheDir?: string;
  readonly onProgress?: (message: string) => void;
}

export interface PreparedKafka {
  readonly cacheDir: string;
  readonly version: string;
}

/**
 * Makes the cache hold everything a broker needs: jars, a formatted data folder, a class-data archive. Once about 11 s and 92 MB, later nothing.
 * It is made beside its final place and renamed, so a killed preparation leaves no half-made cache and two at once do not disturb each other.
 */
export async function prepareKafka(options: PreparationOptions = {}): Promise<PreparedKafka> {
  const cacheDir = options.cacheDir ?? kafkaCacheFolder();
  const report = options.onProgress ?? (() => undefined);
  await demandRequirements(cacheDir);
  if (!isPrepared(cacheDir)) {
    removeAbandoned(cacheDir);
    const draft = join(dirname(cacheDir), `.${basename(cacheDir)}.${process.pid}.${Date.now().toString(36)}`);
    try {
      await build(draft, report);
      install(draft, cacheDir);
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
  return { cacheDir, version: KAFKA_VERSION };
}

async function build(draft: string, report: (message: string) => void): Promise<void> {
  mkdirSync(draft, { recursive: true });
  const pomFile = join(draft, 'pom.xml');
  writeFileSync(pomFile, POM);
  report(`fetching Apache Kafka ${KAFKA_VERSION} with Maven (45 MB, once)`);
  await run('mvn', mavenArguments(pomFile, join(draft, 'lib')), draft, 600_000);
  report('formatting a data folder');
  await formatTemplate(draft);
  report('recording a class-data archive, which makes every later start three times as fast');
  // Loaded here only, because it brings a Kafka client along. Without an archive the broker starts in 1.7 s instead of 0.7 s.
  const { recordArchive } = await import('./class-archive.js');
  if (!(await recordArchive(draft))) report('no archive could be recorded; starts stay slower');
  writeFileSync(join(draft, 'ready'), `${RECIPE}\n`);
}

/** The files of a formatted folder hold no port, so one serves every broker. Writing them by hand would leave the feature levels at 0. */
async function formatTemplate(draft: string): Promise<void> {
  const scratch = join(draft, 'scratch');
  mkdirSync(scratch, { recursive: true });
  const properties = join(scratch, 'format.properties');
  writeFileSync(properties, serverProperties({ dataDir: scratch, port: 9092, controllerPort: 9093, advertisedPort: 9092 }));
  await run('java', [...JVM_FLAGS, '-cp', classPath(draft), 'kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', properties], draft, 60_000);
  renameSync(join(scratch, 'data'), join(draft, 'template'));
  rmSync(scratch, { recursive: true, force: true });
}

function install(draft: string, cacheDir: string): void {
  if (isPrepared(cacheDir)) return;
  if (existsSync(cacheDir)) rmSync(cacheDir, { recursive: true, force: true });
  try {
    renameSync(draft, cacheDir);
  } catch (error) {
    // Another process finished first: its result is as good.
    if (!isPrepared(cacheDir)) throw PreparationFailed.from(error, `moving the prepared files to ${cacheDir}`);
  }
}

/** Drafts of processes that are gone. */
function removeAbandoned(cacheDir: string): void {
  const parent = dirname(cacheDir);
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(`.${basename(cacheDir)}.`)) continue;
    const pid = Number(name.slice(basename(cacheDir).length + 2).split('.')[0]);
    if (!isAlive(pid)) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function run(program: string, programArguments: readonly string[], folder: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, [...programArguments], { cwd: folder, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (!error) return resolve();
      const tail = `${stdout}${stderr}`.trim().split('\n').slice(-12).join('\n');
      return reject(PreparationFailed.from(error, `running ${program}: ${tail}`));
    });
  });
}
