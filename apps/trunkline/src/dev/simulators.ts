import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandLineOf, endProcess } from '@trunkline/local-services';
import type { SimulatorAddress } from '../client/target.js';
import { onFreePort } from './ports.js';

export interface SimulatorWish {
  readonly provider: string;
  readonly port: number;
  readonly limits: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Each answer comes so much later; absent: at once. */
  readonly latencyMs?: number;
}

export interface RunningSimulator extends SimulatorAddress {
  readonly provider: string;
  readonly pid: number;
  readonly dataDir: string;
  stop(): Promise<void>;
}

const entry = fileURLToPath(new URL('../../bin/trunkline.mjs', import.meta.url));

/** Starts one simulator as a process of its own; one left over from an earlier life is ended first, so that two never write one journal. */
export async function startSimulatorProcess(wish: SimulatorWish, folder: string, onProgress: (line: string) => void): Promise<RunningSimulator> {
  const dataDir = join(folder, wish.provider);
  const pidFile = join(folder, `${wish.provider}.pid`);
  mkdirSync(dataDir, { recursive: true });
  await endLeftover(pidFile);
  return onFreePort(wish.port, 90, (port) => startOn(port, wish, { dataDir, pidFile }, onProgress));
}

async function startOn(port: number, wish: SimulatorWish, { dataDir, pidFile }: { readonly dataDir: string; readonly pidFile: string }, onProgress: (line: string) => void): Promise<RunningSimulator> {
  if (port !== wish.port) onProgress(`Port ${wish.port} is taken; the ${wish.provider} simulator uses ${port}.`);
  const words = [entry, 'sim', wish.provider, '--port', String(port), '--data', dataDir, '--limits', wish.limits, '--stop-with-parent', ...(wish.latencyMs === undefined ? [] : ['--latency-ms', String(wish.latencyMs)])];
  // A process group of its own: Ctrl-C must not end the providers before the platform has drained. Credentials go by environment, not by the visible command line.
  const child = spawn(process.execPath, words, {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SIMULATOR_CLIENT_ID: wish.clientId, SIMULATOR_CLIENT_SECRET: wish.clientSecret },
  });
  writeFileSync(pidFile, String(child.pid));
  const url = await addressOf(child, wish.provider);
  return {
    provider: wish.provider,
    url,
    clientId: wish.clientId,
    clientSecret: wish.clientSecret,
    pid: child.pid ?? 0,
    dataDir,
    stop: async () => {
      if (child.pid !== undefined) await endProcess(child.pid, ['SIGTERM'], 5000);
      rmSync(pidFile, { force: true });
    },
  };
}

async function endLeftover(pidFile: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  if (pid > 0 && commandLineOf(pid)?.includes('trunkline.mjs sim')) await endProcess(pid, ['SIGTERM'], 3000);
  rmSync(pidFile, { force: true });
}

/** The first line a simulator prints is JSON with its address. */
function addressOf(child: ChildProcess, provider: string): Promise<string> {
  return new Promise((done, refused) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) done((JSON.parse(text.slice(0, end)) as { url: string }).url);
    });
    child.once('error', refused);
    child.once('exit', (code) => refused(new Error(`the ${provider} simulator ended with exit status ${code} before it listened`)));
  });
}
