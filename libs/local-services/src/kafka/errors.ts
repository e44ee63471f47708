import { defineError } from '@trunkline/contracts';

export const JavaMissing = defineError('kafka_local.java_missing', {
  class: 'unavailable',
  http: 503,
  title: 'A local Kafka broker needs Java 17 or newer',
  fix: 'Install a Java runtime, version 17 or newer (Debian: apt install openjdk-17-jre-headless; macOS: brew install openjdk@17), or name a broker in KAFKA_BROKERS.',
});

export const MavenMissing = defineError('kafka_local.maven_missing', {
  class: 'unavailable',
  http: 503,
  title: 'Fetching the Kafka broker the first time needs Maven',
  fix: 'Install Maven (Debian: apt install maven; macOS: brew install maven), or point KAFKA_LOCAL_CACHE at a prepared cache, or name a broker in KAFKA_BROKERS.',
});

export const PreparationFailed = defineError('kafka_local.preparation_failed', {
  class: 'unavailable',
  http: 503,
  title: 'The local Kafka broker could not be prepared',
  fix: 'Read the output above; a first preparation needs Maven to reach its repository. Later starts work offline.',
});

export const StartFailed = defineError('kafka_local.start_failed', {
  class: 'unavailable',
  http: 503,
  title: 'The local Kafka broker did not start',
  fix: 'Read kafka.log in the data folder. When the stored data itself is broken, wipe the folder.',
});

export const NoBroker = defineError('kafka_local.no_broker', {
  class: 'unavailable',
  http: 503,
  title: 'No Kafka broker for the tests',
  fix: 'Set KAFKA_BROKERS, start a Docker daemon, or install Java 17 and Maven.',
});
