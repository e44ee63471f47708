import { TrunklineError } from '@trunkline/contracts';
import { armingIn } from '@trunkline/failpoints';
import { redactText } from '@trunkline/telemetry';

/** What a started app gives back. */
export interface RunningService {
  /** Stops intake, lets what is in hand finish for at most `graceMs`, closes connections. */
  stop(graceMs: number): Promise<void>;
}

/** The part of `process` that is used; specs pass their own. */
export interface ProcessLike {
  on(signal: 'SIGTERM' | 'SIGINT', listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): void;
  readonly stderr: { write(text: string): unknown };
}

export interface RunOptions {
  readonly graceMs?: number;
  readonly on?: ProcessLike;
}

/** Orchestrators kill after 30 s; by then everything must be handed back. */
const longestShutdownMs = 25_000;

/**
 * The body of every `main.ts`: starts, and on SIGTERM or SIGINT stops within 25 s. A second signal ends at once.
 * A failed start is told in words with what to do; exit code 2 when the configuration is to blame, else 1.
 */
export async function runService(start: () => Promise<RunningService>, { graceMs = longestShutdownMs, on = process }: RunOptions = {}): Promise<void> {
  const stopping = Promise.withResolvers<NodeJS.Signals>();
  let signals = 0;
  const receive = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) on.exit(1);
    stopping.resolve(signal);
  };
  on.on('SIGTERM', receive);
  on.on('SIGINT', receive);
  let service: RunningService;
  try {
    const armed = armingIn(process.env);
    if (armed !== null) on.stderr.write(`TRUNKLINE_FAILPOINT is set: this process ends itself at ${armed.name}.\n`);
    service = await start();
  } catch (error) {
    on.stderr.write(`${explain(error)}\n`);
    on.exit(error instanceof TrunklineError && error.definition.class === 'usage' ? 2 : 1);
    return;
  }
  await stopping.promise;
  on.exit(await stopInTime(service, graceMs, on));
}

async function stopInTime(service: RunningService, graceMs: number, on: ProcessLike): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), graceMs);
  });
  try {
    // A little less for the app itself, so that its own deadline comes before ours.
    const ended = await Promise.race([service.stop(Math.max(0, graceMs - Math.min(2_000, graceMs / 5))), late]);
    if (ended !== 'late') return 0;
    on.stderr.write(`Not everything had ended after ${graceMs} ms; what was in hand is done again by the next process.\n`);
    return 1;
  } catch (error) {
    on.stderr.write(`${explain(error)}\n`);
    return 1;
  } finally {
    clearTimeout(timer);
  }
}

/** Title, detail, the causes' first lines and the way out; no stack. */
export function explain(error: unknown): string {
  const causes: string[] = [];
  for (let cause = causeOf(error); cause !== undefined && causes.length < 4; cause = causeOf(cause)) causes.push(firstLine(cause));
  const because = causes.filter((line) => line !== '').map((line) => ` (${line})`).join('');
  const fix = error instanceof TrunklineError ? `\n${error.definition.fix}` : '';
  return redactText(`${firstLine(error)}${because}${fix}`);
}

function causeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'cause' in error ? (error.cause ?? undefined) : undefined;
}

function firstLine(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error);
  return String(error.message).split('\n')[0] || ('code' in error ? String(error.code) : '');
}
