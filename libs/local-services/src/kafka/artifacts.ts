/**
 * Which files make a broker, and the commands that produce them.
 * Versions are pinned: a range picks 4.4.0, whose kafka-tools-api could not be resolved (tried 2026-11). Without an slf4j binding the broker dies
 * silently; slf4j-api there is 1.7, so the binding is too. The pom names no host: Maven's own settings decide where artifacts come from.
 */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export const KAFKA_VERSION = '4.3.1';

export const POM = `<project><modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-local</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies></project>
`;

/** A cache is trusted only when its `ready` file names this recipe. */
export const RECIPE = createHash('sha256').update(POM).update('template+archive:1').digest('hex').slice(0, 16);

/** copy-dependencies takes transitive artifacts (`dependency:copy` takes one only); `-C` fails on a wrong checksum. */
export function mavenArguments(pomFile: string, libraryFolder: string): readonly string[] {
  return ['-B', '-q', '-ntp', '-C', '-f', pomFile, 'org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${libraryFolder}`];
}

/**
 * Relative to the cache folder and sorted: the class-data archive is valid only for the same class path, and this one survives a rename of the
 * folder. Every java here therefore runs with the cache folder as its working directory.
 */
export function classPath(cacheFolder: string): string {
  return readdirSync(join(cacheFolder, 'lib'))
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => `lib/${name}`)
    .join(':');
}

export const ARCHIVE = 'kafka.jsa';

/** 160 MB resident instead of 330; the C1 compiler alone starts faster than the full ladder. */
export const JVM_FLAGS = ['-Xms64m', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'] as const;
