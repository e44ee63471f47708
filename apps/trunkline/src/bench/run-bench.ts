import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CommandUsage, exitCodes } from '../client/failure.js';
import { say, write } from '../client/output.js';
import { stateFolder } from '../client/target.js';
import { Closing } from '../dev/closing.js';
import { calibrate } from './calibration.js';
import { isSound, type BenchResult, type Outcome } from './result.js';
import type { BenchOptions, ScenarioName } from './scenario.js';
import { measureDrain } from './scenarios/drain.js';
import { measureGrowth } from './scenarios/growth.js';
import { measureLoad } from './scenarios/load.js';
import { measureNeighbour } from './scenarios/neighbour.js';
import { measureRecovery } from './scenarios/recovery.js';
import { measureThrottled } from './scenarios/throttled.js';
import { openSession, type BenchContext, type BenchSession } from './session.js';
import { brokerSays, brokerVersions, databaseSays, hardware, ownVersions } from './surroundings.js';
import { tableOf } from './table.js';
import { judgeTargets } from './targets.js';

const onOnePlatform = (measure: (session: BenchSession) => Promise<Outcome>) => async (context: BenchContext) => measure(await openSession(context));

const measures: Readonly<Record<ScenarioName, (context: BenchContext) => Promise<Outcome>>> = {
  chain: onOnePlatform(measureLoad),
  light: onOnePlatform(measureLoad),
  accept: onOnePlatform(measureLoad),
  drain: onOnePlatform(measureDrain),
  neighbour: onOnePlatform(measureNeighbour),
  throttled: onOnePlatform(measureThrottled),
  growth: onOnePlatform(measureGrowth),
  recovery: measureRecovery,
};

/** Runs one scenario and tells its result; answers with the exit status. */
export async function runBench(options: BenchOptions): Promise<number> {
  // Minutes of measuring are not to be lost to a folder that does not exist.
  if (options.save !== undefined) reserve(options.save);
  const result = await takeResult(options);
  write(options.output === 'json' ? JSON.stringify(result) : tableOf(result));
  if (options.save !== undefined) writeFileSync(options.save, `${JSON.stringify(result, null, 2)}\n`);
  return isSound(result) ? 0 : exitCodes.failed;
}

function reserve(file: string): void {
  try {
    writeFileSync(file, '');
  } catch (error) {
    throw CommandUsage.because(`--save ${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}

/** Runs one scenario on a platform made for it, with data of its own that goes with it. */
export async function takeResult(options: BenchOptions): Promise<BenchResult> {
  mkdirSync(stateFolder(), { recursive: true });
  const folder = mkdtempSync(join(resolve(stateFolder()), 'bench-'));
  const closing = new Closing();
  closing.add('data', () => rmSync(folder, { recursive: true, force: true }));
  const release = stopOnSignal(closing);
  try {
    const machine = hardware();
    const calibration = calibrate(folder);
    const said: { versions: Record<string, string>; durability: Record<string, string> } = { versions: ownVersions(), durability: {} };
    const outcome = await measures[options.scenario]({
      options, folder, closing,
      describe: async (databases, brokers) => {
        const { version, durability } = await databaseSays(databases);
        Object.assign(said.versions, { postgresql: version }, brokerVersions(folder, brokers));
        Object.assign(said.durability, durability, brokerSays(folder, brokers));
      },
    });
    const { says: _says, output: _output, save: _save, profile: _profile, kafka: _kafka, ...asked } = options;
    const measured = { format: 'trunkline-bench/2', at: new Date().toISOString(), options: asked, ...said, hardware: machine, calibration, ...outcome } as const;
    return { ...measured, targets: judgeTargets(measured) };
  } finally {
    await closing.close();
    release();
  }
}

/** Ctrl-C ends the load and stops and removes everything this run has made; twice ends at once. */
function stopOnSignal(closing: Closing): () => void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    const status = 128 + (signal === 'SIGINT' ? 2 : 15);
    if (isStopping) process.exit(status);
    isStopping = true;
    say('\nStopping what was started; no result (Ctrl-C again ends at once) …');
    void closing.close().then(() => process.exit(status));
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
}
