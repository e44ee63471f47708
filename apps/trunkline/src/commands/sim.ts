import type { Command } from 'commander';
import { runSimulator, simulators, simulatorUsage } from '@trunkline/simulators';

export function addSim(program: Command): void {
  program
    .command('sim')
    .description(`run one provider's simulator (${Object.keys(simulators).join(', ')})`)
    .usage(simulatorUsage.trimEnd())
    .argument('[words...]')
    .allowUnknownOption()
    .addHelpText('after', '\nIts control side is under /_control: calls, records, faults, clock, revoke, expire-tokens.')
    .action((_words: readonly string[], _options: unknown, command: Command) => runSimulator(command.args));
}
