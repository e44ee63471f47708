import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { unendedStepStates } from '@trunkline/chain';
import type { Api } from '../client/api.js';
import { ApiProblem, CommandUsage, exitCodes } from '../client/failure.js';
import { printOne, say, write, type OutputFormat } from '../client/output.js';
import { runText, type RunView } from './run-text.js';
import { positiveNumber, wholeNumber, withApi, withOutput } from './options.js';

interface SendOptions {
  readonly output: OutputFormat;
  readonly file?: string;
  readonly set: readonly string[];
  readonly subject?: string;
  readonly source: string;
  readonly id?: string;
  readonly count: number;
  readonly rate: number;
  readonly wait?: boolean;
  readonly timeout: number;
}

export function addSendEvent(program: Command): void {
  withOutput(program.command('send-event'))
    .description('publish an event, or many')
    .argument('<type>', 'event type, e.g. conversation_ended')
    .option('-f, --file <file>', 'the event\'s data as JSON, from a file or `-` (stdin)')
    .option('--set <path=value>', 'set one field of the data, e.g. contact.name=Ann; JSON values are taken as such', collect, [])
    .option('--subject <subject>', 'who or what it is about')
    .option('--source <source>', 'where it comes from', '/trunkline/cli')
    .option('--id <id>', 'its id; the same source and id is the same event')
    .option('--count <n>', 'how many', positiveNumber, 1)
    .option('--rate <per second>', 'how fast, when many', wholeNumber, 10)
    .option('--wait', 'wait for the run to end, draw it, exit 0 only when it is done')
    .option('--timeout <seconds>', 'how long to wait', wholeNumber, 60)
    .action(send);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function send(type: string, options: SendOptions): Promise<void> {
  const data = dataOf(options);
  if (options.count > 1 && options.id !== undefined) throw CommandUsage.because('--id with --count: many events cannot share one id');
  return withApi(async (api) => {
    for (let sent = 0; sent < options.count; sent += 1) {
      if (sent > 0 && options.rate > 0) await wait(1000 / options.rate);
      const event = { specversion: '1.0', type, source: options.source, id: options.id ?? randomUUID(), time: new Date().toISOString(), ...(options.subject === undefined ? {} : { subject: options.subject }), data };
      const { body } = await api.call<{ receipts: readonly { run_id: string }[] }>('POST', '/api/events', event, { 'content-type': 'application/cloudevents+json' });
      const runId = body.receipts[0]?.run_id ?? '';
      if (options.wait) await followRun(api, runId, options);
      else printOne(body.receipts[0], options.output === 'json' ? 'ndjson' : options.output, () => `accepted as run ${runId}`);
    }
    if (!options.wait && options.output === 'table') say('See it: npx --no trunkline runs show <run id>');
  });
}

/** The data from --file, then each --set on top of it. */
export function dataOf({ file, set }: Pick<SendOptions, 'file' | 'set'>): Record<string, unknown> {
  let data: unknown = {};
  if (file !== undefined) {
    try {
      data = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
    } catch (error) {
      throw CommandUsage.from(error, `reading the data from ${file === '-' ? 'stdin' : file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) throw CommandUsage.because('the data must be a JSON object');
  const result = structuredClone(data) as Record<string, unknown>;
  for (const assignment of set) assign(result, assignment);
  return result;
}

function assign(target: Record<string, unknown>, assignment: string): void {
  const at = assignment.indexOf('=');
  if (at < 1) throw CommandUsage.because(`--set ${assignment}: write path=value`);
  const path = assignment.slice(0, at).split('.');
  const last = path.pop() ?? '';
  let place = target;
  for (const name of [...path, last]) if (name === '' || name === '__proto__') throw CommandUsage.because(`--set ${assignment}: ${JSON.stringify(name)} cannot be a field name`);
  for (const name of path) {
    const next = Object.hasOwn(place, name) ? place[name] : undefined;
    place[name] = typeof next === 'object' && next !== null ? next : {};
    place = place[name] as Record<string, unknown>;
  }
  place[last] = valueOf(assignment.slice(at + 1));
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function followRun(api: Api, runId: string, { output, timeout }: SendOptions): Promise<void> {
  const giveUpAt = performance.now() + timeout * 1000;
  for (;;) {
    const run = await runOrNull(api, runId);
    const hasEnded = run !== null && run.steps.every((step) => !(unendedStepStates as readonly string[]).includes(step.state));
    if (run !== null && (hasEnded || performance.now() > giveUpAt)) {
      printOne(run, output, () => runText(run));
      if (!hasEnded) say(`Still ${run.state} after ${timeout} s; it goes on by itself: npx --no trunkline runs show ${runId}`);
      if (run.state !== 'done') process.exitCode = exitCodes.failed;
      return;
    }
    if (performance.now() > giveUpAt) {
      write(`accepted as run ${runId}, not planned after ${timeout} s`);
      process.exitCode = exitCodes.failed;
      return;
    }
    await wait(50);
  }
}

/** An accepted event is durable before it is planned: for a moment there is no run yet. */
async function runOrNull(api: Api, runId: string): Promise<RunView | null> {
  try {
    return (await api.call<RunView>('GET', `/api/runs/${runId}`)).body;
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null;
    throw error;
  }
}
