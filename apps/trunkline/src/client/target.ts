import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandUsage, NoTarget } from './failure.js';

/** Address and credentials of one simulator, for whoever wants to break it on purpose. */
export interface SimulatorAddress {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** What `npm start` leaves for other programs on this machine (mode 0600: it holds the API key and the owner's password). */
export interface DevFile {
  readonly gateway: string;
  readonly organisationId: string;
  readonly apiKey: string;
  /** Who signs in to the console of the demo. */
  readonly owner?: { readonly email: string; readonly password: string };
  readonly simulators: Readonly<Record<string, SimulatorAddress>>;
  readonly databaseUrl: string;
}

export interface Target {
  readonly url: string;
  readonly apiKey: string;
  /** Known for a local platform; a remote one derives it from the key. */
  readonly organisationId: string | null;
}

/** Where the platform's data of this checkout lies. */
export function stateFolder(): string {
  return process.env['TRUNKLINE_STATE'] ?? join(projectFolder(), '.trunkline');
}

/** The checkout: `npm start` and `npx` run from it or below. */
export function projectFolder(): string {
  return process.env['TRUNKLINE_PROJECT'] ?? process.cwd();
}

export function writeDevFile(dev: DevFile): string {
  const path = join(stateFolder(), 'dev.json');
  writeFileSync(path, `${JSON.stringify(dev, null, 2)}\n`, { mode: 0o600 });
  return path;
}

export function readDevFile(): DevFile | null {
  const path = join(stateFolder(), 'dev.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as DevFile) : null;
}

/** The API's paths are fixed: an address is scheme, host and port. */
function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname.replaceAll('/', '') !== '') throw CommandUsage.because(`TRUNKLINE_URL is ${JSON.stringify(text)}; it must be an address like https://trunkline.example.org, without a path`);
  return url.origin;
}

/** TRUNKLINE_URL and TRUNKLINE_API_KEY first, else what a local `npm start` wrote. */
export function findTarget(): Target {
  const url = process.env['TRUNKLINE_URL'];
  const apiKey = process.env['TRUNKLINE_API_KEY'];
  if (url !== undefined && apiKey !== undefined) return { url: originOf(url), apiKey, organisationId: process.env['TRUNKLINE_ORGANISATION'] ?? null };
  if (url !== undefined || apiKey !== undefined) throw NoTarget.because(`only ${url === undefined ? 'TRUNKLINE_API_KEY' : 'TRUNKLINE_URL'} is set; both are needed`);
  const dev = readDevFile();
  if (dev === null) throw NoTarget.because(`${join(stateFolder(), 'dev.json')} does not exist and TRUNKLINE_URL is not set`);
  return { url: dev.gateway, apiKey: dev.apiKey, organisationId: dev.organisationId };
}
