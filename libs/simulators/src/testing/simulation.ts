import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSimulator } from '../start-simulator.js';
import type { StartSimulator } from '../start-simulator.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // A test reads what it expects to find; what is not there fails the comparison.
  readonly json: Loose;
}

export type Loose = { readonly [name: string]: Loose } & { readonly length: number; map<Out>(each: (item: Loose) => Out): Out[] };

/** A running simulator for a test: ask the provider's side with a token, or the control side. */
export class Simulation {
  private constructor(
    readonly url: string,
    readonly dataDir: string,
    private readonly stopping: () => Promise<void>,
    private readonly tokenPath: string,
  ) {}

  token = '';

  static async start(start: Omit<StartSimulator, 'dataDir'> & { readonly dataDir?: string }): Promise<Simulation> {
    const dataDir = start.dataDir ?? temporaryFolder();
    const running = await startSimulator({ limits: 'off', searchLagMs: 0, ...start, dataDir });
    const simulation = new Simulation(running.url, dataDir, () => running.stop(), tokenPaths[start.provider]);
    await simulation.logIn();
    return simulation;
  }

  async logIn(): Promise<Answer> {
    const answer = await this.askForToken();
    if (answer.status === 200) this.token = String(answer.json['access_token']);
    return answer;
  }

  askForToken(clientId = 'client', clientSecret = 'secret'): Promise<Answer> {
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret });
    return read(fetch(this.url + this.tokenPath, { method: 'POST', headers: { authorization: `Basic ${basic}` }, body }));
  }

  ask(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const sent = { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers };
    return read(fetch(this.url + path, { method, headers: sent, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }) }));
  }

  control(method: string, path: string, body?: unknown): Promise<Answer> {
    return read(fetch(`${this.url}/_control${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }));
  }

  async journal(): Promise<Loose> {
    return (await this.control('GET', '/journal')).json['entries'] as Loose;
  }

  stop(): Promise<void> {
    return this.stopping();
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

export const tokenPaths = { genesys: '/oauth/token', techone: '/oauth2/access_token', salesforce: '/services/oauth2/token' } as const;

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'simulator-'));
}

async function read(asked: Promise<Response>): Promise<Answer> {
  const answer = await asked;
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, text, json: parsed(text) };
}

function parsed(text: string): Loose {
  try {
    return JSON.parse(text) as Loose;
  } catch {
    // HTML pages, empty and malformed bodies are part of what is tested.
    return {} as Loose;
  }
}

/** The built process entry, listening. */
export async function spawnSimulator(entry: string, args: readonly string[], environment: NodeJS.ProcessEnv = process.env): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    child.once('exit', (code) => reject(new Error(`the simulator ended with ${code}`)));
  });
  return { child, url: (JSON.parse(line) as { readonly url: string }).url };
}
