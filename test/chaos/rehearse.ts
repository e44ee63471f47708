import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(__dirname, '..', '..');

export interface Outcome {
  readonly status: number;
  readonly output: string;
  /** Null: it ended before it could be judged. */
  readonly result: { readonly accepted: number; readonly killsCounted: number; readonly drained: boolean; readonly pauses: number; readonly limits: readonly { readonly provider: string; readonly isTested: boolean }[]; readonly findings: readonly { readonly invariant: string; readonly checked: number; readonly breaches: number }[] } | null;
}

/** `trunkline chaos` as a user runs it. */
export async function rehearse(words: readonly string[], { schedule, appsRoot }: { readonly schedule?: unknown; readonly appsRoot?: string } = {}): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-rehearsal-'));
  const [json, saved] = [join(folder, 'result.json'), join(folder, 'schedule.json')];
  if (schedule !== undefined) writeFileSync(saved, JSON.stringify(schedule));
  const all = [join(root, 'apps', 'trunkline', 'bin', 'trunkline.mjs'), 'chaos', ...words, '--json', json, ...(schedule === undefined ? [] : ['--schedule', saved]), ...(appsRoot === undefined ? [] : ['--apps-root', appsRoot])];
  const child = spawn(process.execPath, all, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const status = await new Promise<number>((done) => child.once('close', (code) => done(code ?? 137)));
  try {
    return { status, output, result: existsSync(json) ? (JSON.parse(readFileSync(json, 'utf8')) as Outcome['result']) : null };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
