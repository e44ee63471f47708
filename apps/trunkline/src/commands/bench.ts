import { type Command, InvalidArgumentError, Option } from 'commander';
import { write } from '../client/output.js';
import type { GuardWords } from '../bench/guard.js';
import { isScenario, killTargets, scenarios, type BenchOptions, type KillTarget, type ScenarioName } from '../bench/scenario.js';
import { positiveNumber, wholeNumber } from './options.js';

type BenchWords = Partial<Pick<BenchOptions, 'rate' | 'seconds' | 'warmUpS' | 'latencyMs' | 'batch' | 'events' | 'save' | 'profile'>> &
  Pick<BenchOptions, 'driver' | 'kafka' | 'callsPerMinute' | 'tenants' | 'finished' | 'kill' | 'output'> & { readonly warmUp?: number };

const help = `
Each run makes a platform of its own with data of its own, and removes both; DATABASE_URL and a running \`npm start\` are left alone.
Latency counts from when an event was due, so a slow answer hides nothing. Every effect is held against the ledger and the providers' journals.
The targets are for 2 cores that carry everything; a machine that is busy otherwise says little, the processor time per event most.

Examples
  npx --no trunkline bench chain --rate 420 --seconds 120
  npx --no trunkline bench chain --driver kafka --rate 1050 --seconds 120
  npx --no trunkline bench drain --events 100000
  npx --no trunkline bench neighbour
  npx --no trunkline bench throttled --events 5000 --seconds 30
  npx --no trunkline bench growth --tenants 1,10 --finished 10000,100000
  npx --no trunkline bench recovery --kill crm,everything
  npx --no trunkline bench light --save a.json && npx --no trunkline bench compare a.json b.json

Exit status 0 only if nothing was lost, doubled, out of order, refused or unfinished; a target missed is said, and is no failure.`;

export function addBench(program: Command): void {
  const bench = program
    .command('bench')
    .description('measures the platform on this machine: open-loop load, durability on, every effect counted')
    .argument('<scenario>', Object.entries(scenarios).map(([name, { says }]) => `${name}: ${says}`).join('\n'), scenarioName)
    .addOption(new Option('--driver <driver>', 'event log').choices(['postgres', 'kafka']).default('postgres'))
    .option('--kafka <brokers>', 'for --driver kafka: `local`, or host:port of brokers that run', 'local')
    .option('--rate <events>', `events offered per second (${defaults('rate')})`, positiveNumber)
    .option('--seconds <number>', `how long each measurement takes (${defaults('seconds')})`, positiveNumber)
    .option('--warm-up <seconds>', 'load before it, of which nothing is counted but effects', positiveNumber)
    .option('--latency-ms <ms>', `how long each provider call takes (${defaults('latencyMs')})`, wholeNumber)
    .option('--batch <events>', 'events per request', positiveNumber)
    .option('--events <number>', 'how many wait in `drain` (10000) and `throttled` (100000)', positiveNumber)
    .option('--calls-per-minute <number>', '`throttled`: what the provider allows', positiveNumber, 60)
    .option('--tenants <numbers>', '`growth`: how many share the load, one measurement each', numbers, [1, 10, 100])
    .option('--finished <numbers>', '`growth`: finished runs in the ledger, one measurement each', numbers, [10_000, 100_000, 1_000_000])
    .option('--kill <apps>', `\`recovery\`: one run each, of ${killTargets.join(', ')}`, killed, ['everything', 'crm', 'erp', 'ledger'] as const)
    .addOption(new Option('--output <format>', 'json: one line with everything').choices(['table', 'json']).default('table'))
    .option('--save <file>', 'write the JSON result there too')
    .option('--profile <folder>', 'write a CPU profile of the services there (slows them)')
    .addHelpText('after', help)
    .action(async (scenario: ScenarioName, words: BenchWords) => {
      const { runBench } = await import('../bench/run-bench.js');
      process.exitCode = await runBench(optionsOf(scenario, words));
    });
  bench
    .command('guard')
    .description('fails when an event costs more processor time than the baseline in the repository allows; for continuous integration')
    .option('--runs <number>', 'of which the median counts', positiveNumber, 3)
    .option('--write', 'make what was measured the new baseline', false)
    .action(async (words: GuardWords) => {
      const { runGuard } = await import('../bench/guard.js');
      process.exitCode = await runGuard(words);
    });
  bench
    .command('compare')
    .description('two saved results side by side, as ratios')
    .argument('<a.json>')
    .argument('<b.json>')
    .action(async (a: string, b: string) => {
      const [{ compare, differences, readResult }, { comparisonTable }] = await Promise.all([import('../bench/compare.js'), import('../bench/table.js')]);
      const [before, after] = [readResult(a), readResult(b)];
      const lines = compare(before, after);
      for (const difference of differences(before, after)) write(`They were asked for different things: ${difference}`);
      write(comparisonTable(lines));
    });
}

function optionsOf(scenario: ScenarioName, { warmUp, ...words }: BenchWords): BenchOptions {
  return { ...scenarios[scenario], scenario, ...words, ...(warmUp === undefined ? {} : { warmUpS: warmUp }) };
}

/** `chain 100, light 20`: what each scenario is asked for when nobody says otherwise. */
function defaults(name: 'rate' | 'seconds' | 'latencyMs'): string {
  return Object.entries(scenarios).flatMap(([scenario, asked]) => (asked[name] === 0 && name !== 'latencyMs' ? [] : [`${scenario} ${asked[name]}`])).join(', ');
}

function scenarioName(text: string): ScenarioName {
  if (!isScenario(text)) throw new InvalidArgumentError(`one of ${Object.keys(scenarios).join(', ')} is needed.`);
  return text;
}

/** `1,10,100`: rising, since a ledger does not shrink. */
function numbers(text: string): readonly number[] {
  const given = text.split(',').map((part) => positiveNumber(part.trim()));
  if (given.some((value, index) => value <= (given[index - 1] ?? 0))) throw new InvalidArgumentError('rising numbers are needed, as in 1,10,100.');
  return given;
}

function killed(text: string): readonly KillTarget[] {
  return text.split(',').map((part) => {
    const found = killTargets.find((target) => target === part.trim());
    if (found === undefined) throw new InvalidArgumentError(`of ${killTargets.join(', ')}.`);
    return found;
  });
}
