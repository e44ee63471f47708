import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { DevOptions } from '../dev/options.js';
import { defaultPorts } from '../dev/ports.js';
import { positiveNumber, wholeNumber } from './options.js';

export function addDev(program: Command): void {
  program
    .command('dev')
    .description('the whole platform on this machine, with simulated providers and a demo organisation (what `npm start` runs)')
    .option('--replay <rows>', 'replay that many real service requests as fast as they are accepted, then say what came of them', positiveNumber)
    .option('--exit', 'stop when the replay has ended; exit status 0 only if nothing was lost, doubled or out of order', false)
    .option('--file <rows.csv>', 'other rows than those that come along (columns as in apps/trunkline/data)')
    .addOption(new Option('--output <format>', 'json: the last line of stdout is one JSON object').choices(['table', 'json']).default('table'))
    .option('--kafka <brokers>', '`local` starts a real Apache Kafka (Java 17, Maven); host:port uses one that runs')
    .option('--port <port>', 'gateway port; taken: the next free one', wholeNumber, defaultPorts.gateway)
    .option('--rate <per second>', 'events per second of the gentle feed', rate, 0.5)
    .addOption(new Option('--ordering <ordering>', 'of the demo chain\'s TechOne step').choices(['subject', 'none']).default('subject').hideHelp())
    .action(async (options: DevOptions) => {
      // Loaded only here: the services take a second that no other command should wait for.
      const { runDev } = await import('../dev/run-dev.js');
      process.exitCode = await runDev(options);
    });
}

function rate(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0 is needed.');
  return value;
}
