import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { BenchResult } from './result.js';

jest.setTimeout(400_000);

const entry = resolve(__dirname, '..', '..', 'bin', 'trunkline.mjs');
const state = mkdtempSync(join(tmpdir(), 'trunkline-bench-'));
chmodSync(state, 0o755);
afterAll(() => rmSync(state, { recursive: true, force: true }));

/** The smallest run that still has every part: what it measures here means nothing, that it measures and verifies does. */
async function bench(...words: readonly string[]): Promise<{ readonly status: number; readonly result: BenchResult; readonly said: string }> {
  const child = spawn(process.execPath, [entry, 'bench', ...words, '--seconds', '1', '--warm-up', '1', '--output', 'json'], { env: { ...process.env, TRUNKLINE_STATE: state, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, said] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const status = await new Promise<number>((done) => child.once('close', (code) => done(code ?? 1)));
  if (out === '') throw new Error(`no result, status ${status}:\n${said}`);
  return { status, result: JSON.parse(out) as BenchResult, said };
}

const sound = { lost: 0, doubled: 0, outOfOrder: 0, unfinished: 0 };

describe('a short run', () => {
  it('of neighbour: measures before and during each fault, and shows that the faults were real', async () => {
    const { status, result } = await bench('neighbour', '--rate', '12', '--latency-ms', '0');
    expect(result).toMatchObject({ verdict: sound, findings: { before: { p95: expect.any(Number) as number }, hangs: { ratio: expect.any(Number) as number }, throttles: { ratio: expect.any(Number) as number }, poison: { ratio: expect.any(Number) as number } } });
    expect(result.findings['the neighbour itself']).toMatchObject({ stepsDeadLettered: 6 });
    expect(result.targets.map(({ outcome }) => outcome)).not.toContain('not known');
    expect(status).toBe(0);
  });

  it('of throttled: sends about as many commands as the provider takes calls', async () => {
    const { status, result } = await bench('throttled', '--events', '200', '--rate', '10');
    const { waiting, callsMade, commandsSent, limitUsed } = result.findings['backlog'] ?? {};
    expect(waiting).toBe(200);
    expect(Number(callsMade)).toBeGreaterThan(0);
    expect(Number(callsMade)).toBeLessThan(150);
    expect(Number(commandsSent)).toBeGreaterThanOrEqual(Number(callsMade));
    expect(Number(commandsSent)).toBeLessThan(180);
    expect(Number(limitUsed)).toBeGreaterThan(0.3);
    expect({ status, verdict: result.verdict }).toMatchObject({ status: 0, verdict: sound });
  });

  it('of growth: fills the ledger with rows as the platform writes them, and verifies only its own', async () => {
    const { status, result } = await bench('growth', '--tenants', '1,2', '--finished', '100', '--rate', '20');
    expect(result.findings['filled to 100']).toMatchObject({ runs: 100, run_events: 100, attempts: 300 });
    expect(result.findings['tenants']).toMatchObject({ worst: expect.any(Number) as number });
    expect({ status, verdict: result.verdict }).toMatchObject({ status: 0, verdict: sound });
  });

  it('of recovery: kills an app, publishes again what it did not answer, and waits for all of it', async () => {
    const { status, result } = await bench('recovery', '--kill', 'gateway', '--rate', '20', '--latency-ms', '0');
    expect(result.findings['kill gateway']).toMatchObject({ upsertLonger: expect.any(Number) as number, searchFirstBound: 18_000, readyAgainMs: expect.any(Number) as number });
    expect({ status, verdict: result.verdict }).toMatchObject({ status: 0, verdict: sound });
  });

  it('leaves nothing behind', () => {
    expect(readdirSync(state)).toEqual([]);
  });
});
