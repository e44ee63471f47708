import { type Command, InvalidArgumentError, Option } from 'commander';
import { write } from '../client/output.js';
import { isScenario, scenarios, type BenchOptions, type ScenarioName } from '../bench/scenario.js';
import { wholeNumber } from './options.js';

interface BenchWords {
  readonly driver: 'postgres' | 'kafka';
  readonly kafka: string;
  readonly rate?: number;
  readonly duration?: number;
  readonly warmUp?: number;
  readonly latencyMs?: number;
  readonly batch?: number;
  readonly events: number;
  readonly output: 'table' | 'json';
  readonly save?: string;
  readonly profile?: string;
}

export function addBench(program: Command): void {
  const bench = program
    .command('bench')
    .description('measures the platform on this machine: open-loop load, durability on, every effect counted')
    .argument('<scenario>', Object.entries(scenarios).map(([name, { says }]) => `${name}: ${says}`).join('; '), scenarioName)
    .addOption(new Option('--driver <driver>', 'event log').choices(['postgres', 'kafka']).default('postgres'))
    .option('--kafka <brokers>', 'for --driver kafka: `local`, or host:port of brokers that run', 'local')
    .option('--rate <events>', 'events offered per second', positive)
    .option('--duration <seconds>', 'how long is measured', positive)
    .option('--warm-up <seconds>', 'load before it, of which nothing is counted but effects', positive)
    .option('--latency-ms <ms>', 'how long each provider call takes', wholeNumber)
    .option('--batch <events>', 'events per request', positive)
    .option('--events <number>', 'how many wait in `drain`', positive, 10_000)
    .addOption(new Option('--output <format>', 'json: one line with everything').choices(['table', 'json']).default('table'))
    .option('--save <file>', 'write the JSON result there too')
    .option('--profile <folder>', 'write a CPU profile of the services there (slows them)')
    .addHelpText('after', '\nExit status 0 only if nothing was lost, doubled, out of order, refused or unfinished.')
    .action(async (scenario: ScenarioName, words: BenchWords) => {
      const { runBench } = await import('../bench/run-bench.js');
      process.exitCode = await runBench(optionsOf(scenario, words));
    });
  bench
    .command('compare')
    .description('two saved results side by side, as ratios')
    .argument('<a.json>')
    .argument('<b.json>')
    .action(async (a: string, b: string) => {
      const [{ compare, differences, readResult }, { comparisonTable }] = await Promise.all([import('../bench/compare.js'), import('../bench/table.js')]);
      const [before, after] = [readResult(a), readResult(b)];
      for (const difference of differences(before, after)) write(`They were asked for different things: ${difference}`);
      write(comparisonTable(compare(before, after)));
    });
}

function optionsOf(scenario: ScenarioName, words: BenchWords): BenchOptions {
  const defaults = scenarios[scenario];
  return {
    ...defaults,
    scenario,
    driver: words.driver,
    kafka: words.kafka,
    events: words.events,
    output: words.output,
    rate: words.rate ?? defaults.rate,
    durationS: words.duration ?? defaults.durationS,
    warmUpS: words.warmUp ?? defaults.warmUpS,
    latencyMs: words.latencyMs ?? defaults.latencyMs,
    batch: words.batch ?? defaults.batch,
    ...(words.save === undefined ? {} : { save: words.save }),
    ...(words.profile === undefined ? {} : { profile: words.profile }),
  };
}

function scenarioName(text: string): ScenarioName {
  if (!isScenario(text)) throw new InvalidArgumentError(`one of ${Object.keys(scenarios).join(', ')} is needed.`);
  return text;
}

function positive(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('at least 1.');
  return value;
}
