import { type Command, InvalidArgumentError, Option } from 'commander';
import { happeningKinds, targetGroups, type ChaosOptions, type HappeningKind, type TargetGroup } from '../chaos/options.js';
import { positiveNumber, wholeNumber } from './options.js';

interface ChaosWords {
  readonly events: number;
  readonly rate: number;
  readonly minutes?: number;
  readonly kills?: number;
  readonly seed?: number;
  readonly only?: readonly (HappeningKind | TargetGroup)[];
  readonly driver: 'kafka' | 'postgres';
  readonly keep?: string;
  readonly json?: string;
  readonly inFlight: number;
  readonly drainMinutes: number;
  readonly techoneLimit?: number;
  readonly rehearsalLimit?: number;
  readonly startWithin?: number;
  readonly appsRoot?: string;
  readonly schedule?: string;
}

const words: readonly string[] = [...happeningKinds, ...targetGroups];

export function addChaos(program: Command): void {
  program
    .command('chaos')
    .description('runs every app as a process of its own under load, kills, freezes and restarts them, lets providers fail, pauses integrations, and holds what they hold against seven invariants')
    .option('--events <number>', 'how many events are sent', positiveNumber, 2_000)
    .option('--rate <events>', 'events sent per second', positiveNumber, 25)
    .option('--minutes <minutes>', 'how long things happen; as long as the load otherwise', positive)
    .option('--kills <number>', 'how many SIGKILLs; one every six seconds otherwise', wholeNumber)
    .option('--seed <number>', 'the same seed gives the same schedule', wholeNumber)
    .option('--only <words>', `only some of it, separated by commas: ${words.join(', ')}`, parseOnly)
    .addOption(new Option('--driver <driver>', 'event log').choices(['kafka', 'postgres']).default('kafka'))
    .option('--keep <folder>', 'work in this folder and leave everything there: data, journals, what each process said')
    .option('--json <file>', 'write the result there')
    .option('--in-flight <number>', 'a kill waits until so many runs are in flight', wholeNumber, 50)
    .option('--drain-minutes <minutes>', 'how long all that was accepted may take to come to an end afterwards', positive, 10)
    .addOption(new Option('--techone-limit <calls>', 'calls per minute of one integration').argParser(wholeNumber).hideHelp())
    .addOption(new Option('--rehearsal-limit <calls>', 'calls per ten seconds of another').argParser(wholeNumber).hideHelp())
    .addOption(new Option('--start-within <ms>', 'how old a command may get before it is started').argParser(wholeNumber).hideHelp())
    .addOption(new Option('--apps-root <folder>', 'run the apps of another build').hideHelp())
    .addOption(new Option('--schedule <file>', 'a saved schedule in the place of a drawn one').hideHelp())
    .addHelpText('after', '\nExit status 0 only if every event was accepted and came to an end and no invariant was broken.')
    .action(async (given: ChaosWords) => {
      const { runChaos } = await import('../chaos/run-chaos.js');
      process.exitCode = await runChaos(optionsOf(given));
    });
}

function optionsOf(given: ChaosWords): ChaosOptions {
  const loadMs = (given.events * 1_000) / given.rate;
  const durationMs = given.minutes === undefined ? loadMs : given.minutes * 60_000;
  const only = given.only ?? [];
  const kinds = happeningKinds.filter((kind) => only.includes(kind));
  const targets = targetGroups.filter((target) => only.includes(target));
  const limited = limitsFor(given.rate);
  return {
    driver: given.driver,
    events: given.events,
    rate: given.rate,
    durationMs,
    kills: given.kills ?? Math.max(1, Math.round(durationMs / 6_000)),
    seed: given.seed ?? Date.now() % 1_000_000,
    kinds: kinds.length === 0 ? happeningKinds : kinds,
    targets: targets.length === 0 ? targetGroups : targets,
    inFlight: given.inFlight,
    drainMs: given.drainMinutes * 60_000,
    limits: { techonePerMinute: given.techoneLimit ?? limited.techonePerMinute, rehearsalPerWindow: given.rehearsalLimit ?? limited.rehearsalPerWindow },
    ...(given.startWithin !== undefined && { startWithinMs: given.startWithin }),
    ...(given.keep !== undefined && { keep: given.keep }),
    ...(given.json !== undefined && { json: given.json }),
    ...(given.appsRoot !== undefined && { appsRoot: given.appsRoot }),
    ...(given.schedule !== undefined && { scheduleFile: given.schedule }),
  };
}

/** Half of the events make one call at one provider and three at the other; a fifth more than that is allowed, so that what a pause or an outage has held back uses the limits up and everything ends all the same. */
function limitsFor(rate: number): ChaosOptions['limits'] {
  return { techonePerMinute: Math.ceil((rate / 2) * 60 * 1.2), rehearsalPerWindow: Math.ceil((rate / 2) * 3 * 10 * 1.2) };
}

function parseOnly(text: string): readonly (HappeningKind | TargetGroup)[] {
  return text.split(',').map((word) => {
    const known = [...happeningKinds, ...targetGroups].find((one) => one === word.trim());
    if (known === undefined) throw new InvalidArgumentError(`${word} is none of ${words.join(', ')}.`);
    return known;
  });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0 is needed.');
  return value;
}
