import type { Command } from 'commander';
import { Option } from 'commander';
import { isSimulatedProvider, readLimits, simulators, startSimulator, type LimitSetting, type SimulatedProvider } from '@trunkline/simulators';
import { CommandUsage } from '../client/failure.js';
import { say, write } from '../client/output.js';

const names = Object.keys(simulators);

interface SimOptions {
  readonly port: string;
  readonly data: string;
  readonly limits: LimitSetting;
  readonly latency: string;
  readonly withParent: boolean;
}

export function addSim(program: Command): void {
  program
    .command('sim')
    .description(`run one provider's simulator (${names.join(', ')}); its control side is under /_control`)
    .argument('<provider>', 'whose API to serve')
    .option('--port <number>', 'where to listen; 0: any free port', '0')
    .requiredOption('--data <folder>', 'where its journal is kept')
    .option('--limits <limits>', '`vendor`, `off`, or a number of calls as `60/min`', (text: string) => readLimits(text), 'vendor' as LimitSetting)
    .option('--latency <ms>', 'added to every answer', '0')
    .addOption(new Option('--with-parent', 'end when the process that started it ends').hideHelp())
    .action(async (provider: string, options: SimOptions) => {
      if (!isSimulatedProvider(provider)) throw CommandUsage.because(`there is no simulator of ${provider}; there are ${names.join(', ')}`);
      await run(provider, options);
    });
}

async function run(provider: SimulatedProvider, options: SimOptions): Promise<void> {
  const clientId = process.env['TRUNKLINE_SIM_CLIENT_ID'];
  const clientSecret = process.env['TRUNKLINE_SIM_CLIENT_SECRET'];
  const simulator = await startSimulator({
    provider,
    port: Number(options.port),
    dataDir: options.data,
    limits: options.limits,
    latencyMs: Number(options.latency),
    ...(clientId === undefined || clientSecret === undefined ? {} : { credentials: { clientId, clientSecret } }),
  });
  write(JSON.stringify({ url: simulator.url, provider }));
  if (process.stdout.isTTY) say(`Ctrl-C stops it; ${simulator.url}/_control/records shows what it holds.`);
  let isStopping = false;
  const stop = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    await simulator.stop();
    process.exit(0);
  };
  process.on('SIGINT', () => void stop()).on('SIGTERM', () => void stop());
  if (options.withParent) process.on('disconnect', () => void stop());
}
