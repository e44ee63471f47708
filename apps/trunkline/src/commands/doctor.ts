import { existsSync, statfsSync } from 'node:fs';
import { connect } from 'node:net';
import type { Command } from 'commander';
import { Client } from 'pg';
import { kafkaRequirements } from '@trunkline/local-services';
import { exitCodes } from '../client/failure.js';
import { parseFormat, print, type OutputFormat } from '../client/output.js';
import { readDevFile, stateFolder } from '../client/target.js';
import { runningPlatform } from '../dev/lock.js';
import { defaultPorts } from '../dev/ports.js';

interface Finding {
  readonly check: string;
  readonly state: 'OK' | 'note' | 'FIX';
  readonly found: string;
  /** What to do; empty when nothing is needed. */
  readonly fix: string;
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('look at everything Trunkline needs; each line is OK or says the exact fix')
    .option('--output <format>', 'table, json or ndjson', parseFormat, 'table' satisfies OutputFormat)
    .action(async ({ output }: { output: OutputFormat }) => {
      const findings = (await Promise.all([node(), javaAndMaven(), ports(), disk(), database(), gateway(), broker()])).flat();
      print(findings.map((finding) => ({ ...finding })), ['state', 'check', 'found', 'fix'], output, 'nothing to look at');
      if (findings.some((finding) => finding.state === 'FIX')) process.exitCode = exitCodes.failed;
    });
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNewEnough = major > 24 || (major === 24 && minor >= 9);
  return { check: 'Node', state: isNewEnough ? 'OK' : 'FIX', found: process.versions.node, fix: isNewEnough ? '' : 'run through npm (`npx --no trunkline …`), which uses the Node that comes along; `npm ci` installs it' };
}

async function javaAndMaven(): Promise<readonly Finding[]> {
  const { java, isMavenFound, isCacheReady } = await kafkaRequirements();
  const isJavaNew = java !== null && java >= 17;
  const isMavenNeeded = !isMavenFound && !isCacheReady;
  return [
    { check: 'Java', state: isJavaNew ? 'OK' : 'note', found: java === null ? 'none' : String(java), fix: isJavaNew ? '' : 'only for `--kafka local` and the Kafka tests: install a Java 17 runtime' },
    { check: 'Maven', state: isMavenNeeded ? 'note' : 'OK', found: isMavenFound ? 'found' : 'none', fix: isMavenNeeded ? 'only for the first `--kafka local`: install Maven 3.8 or newer' : '' },
  ];
}

async function ports(): Promise<readonly Finding[]> {
  const dev = readDevFile();
  return Promise.all(
    Object.entries(defaultPorts).map(async ([name, port]): Promise<Finding> => {
      const isTaken = await answers('127.0.0.1', port);
      if (!isTaken) return { check: `port ${port} (${name})`, state: 'OK', found: 'free', fix: '' };
      const isOurs = dev !== null && (JSON.stringify(dev).includes(`:${port}`) || name === 'operations') && runningPlatform(stateFolder()) !== null;
      return { check: `port ${port} (${name})`, state: isOurs ? 'OK' : 'note', found: isOurs ? 'used by Trunkline' : 'taken', fix: isOurs ? '' : 'nothing: the next free port is used and printed' };
    }),
  );
}

function disk(): Finding {
  const folder = existsSync(stateFolder()) ? stateFolder() : '.';
  const { bavail, bsize } = statfsSync(folder);
  const gigabytes = (bavail * bsize) / 1e9;
  return { check: 'disk', state: gigabytes < 2 ? 'FIX' : 'OK', found: `${gigabytes.toFixed(1)} GB free`, fix: gigabytes < 2 ? `free some space near ${folder}: packages and data need about 2 GB` : '' };
}

async function database(): Promise<readonly Finding[]> {
  const url = process.env['DATABASE_URL'] ?? readDevFile()?.databaseUrl;
  if (url === undefined) return [{ check: 'database', state: 'note', found: 'not started', fix: '`npm start` starts one, or set DATABASE_URL' }];
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 3000 });
  // A lost connection also fails the query below, which is where it is told.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const before = Date.now();
    const { rows } = await client.query<{ version: string; now_ms: string }>(`select current_setting('server_version') as version, extract(epoch from clock_timestamp()) * 1000 as now_ms`);
    const skewMs = Math.round(Number(rows[0]?.now_ms) - (before + Date.now()) / 2);
    return [
      { check: 'database', state: 'OK', found: `PostgreSQL ${rows[0]?.version}`, fix: '' },
      { check: 'clock', state: Math.abs(skewMs) > 250 ? 'FIX' : 'OK', found: `${skewMs} ms off the database`, fix: Math.abs(skewMs) > 250 ? 'synchronise this machine\'s clock (NTP)' : '' },
    ];
  } catch (error) {
    return [{ check: 'database', state: 'FIX', found: error instanceof Error ? error.message : String(error), fix: process.env['DATABASE_URL'] === undefined ? 'start it with `npm start`' : 'check DATABASE_URL and that the server runs' }];
  } finally {
    await client.end();
  }
}

async function gateway(): Promise<Finding> {
  const url = process.env['TRUNKLINE_URL'] ?? readDevFile()?.gateway;
  if (url === undefined) return { check: 'gateway', state: 'note', found: 'not started', fix: 'start it with `npm start`' };
  const { hostname, port } = new URL(url);
  const isUp = await answers(hostname, Number(port) || (url.startsWith('https') ? 443 : 80));
  return { check: 'gateway', state: isUp ? 'OK' : 'FIX', found: isUp ? url : `${url} does not answer`, fix: isUp ? '' : 'start it with `npm start`' };
}

async function broker(): Promise<Finding> {
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined) return { check: 'broker', state: 'OK', found: 'not set: the embedded log in PostgreSQL is used', fix: '' };
  const [host = '127.0.0.1', port = '9092'] = (brokers.split(',')[0] ?? '').split(':');
  const isUp = await answers(host, Number(port));
  return { check: 'broker', state: isUp ? 'OK' : 'FIX', found: isUp ? brokers : `${brokers} does not answer`, fix: isUp ? '' : 'start the broker, correct KAFKA_BROKERS, or use `npm start -- --kafka local`' };
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 1500 });
    const end = (isUp: boolean): void => {
      socket.destroy();
      done(isUp);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false));
  });
}
