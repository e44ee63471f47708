import { execFile, spawnSync } from 'node:child_process';
import { isPrepared, kafkaCacheFolder } from './cache-folder.js';
import { JavaMissing, MavenMissing } from './errors.js';

export interface Requirements {
  /** Major version; null when no java answers. */
  readonly java: number | null;
  readonly isMavenFound: boolean;
  readonly isCacheReady: boolean;
}

export async function kafkaRequirements(cacheFolder = kafkaCacheFolder()): Promise<Requirements> {
  const [java, maven] = await Promise.all([outputOf('java', ['-version']), outputOf('mvn', ['-version'])]);
  return { java: java === null ? null : majorVersion(java), isMavenFound: maven !== null, isCacheReady: isPrepared(cacheFolder) };
}

/** Maven is asked only when something must be fetched: its start takes 0.3 s. */
export async function demandRequirements(cacheFolder: string): Promise<void> {
  // A busy machine may need long even to start a virtual machine; that must not pass for a missing one.
  const version = await outputOf('java', ['-version'], 60_000);
  const java = version === null ? null : majorVersion(version);
  if (java === null || java < 17) throw JavaMissing.because(java === null ? 'no java on the PATH' : `found Java ${java}`);
  if (!isPrepared(cacheFolder) && (await outputOf('mvn', ['-version'])) === null) throw MavenMissing.because('no mvn on the PATH');
}

/** Null when a local broker can be started. Answers at once, for suites must be declared without waiting. */
export function whyNoLocalKafka(cacheFolder = kafkaCacheFolder()): string | null {
  const { error, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8', env: process.env });
  const java = error ? null : majorVersion(stderr);
  if (java === null || java < 17) return `java: ${java ?? 'none'}, 17 is needed`;
  const hasMaven = isPrepared(cacheFolder) || !spawnSync('mvn', ['-version'], { env: process.env }).error;
  return hasMaven ? null : 'mvn: none, and no prepared cache';
}

/** Resolves with stdout and stderr together (java prints its version on stderr), or null when the program is missing, fails or hangs. */
export function outputOf(program: string, programArguments: readonly string[], timeoutMs = 10_000): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(program, [...programArguments], { timeout: timeoutMs, env: process.env }, (error, stdout, stderr) => resolve(error ? null : `${stdout}${stderr}`));
  });
}

function majorVersion(text: string): number | null {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  if (first === undefined) return null;
  return first === '1' && second !== undefined ? Number(second) : Number(first);
}
