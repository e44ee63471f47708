import { parseArgs } from 'node:util';
import { SimulatorArgumentWrong } from './kit/errors.js';
import { readLimits } from './kit/settings.js';
import type { ProviderOptions } from './kit/settings.js';
import { isSimulatedProvider, simulators } from './registry.js';
import { startSimulator } from './start-simulator.js';
import type { StartSimulator } from './start-simulator.js';

export const simulatorUsage = `<${Object.keys(simulators).join('|')}> --data DIR [--port N] [--host H] [--limits vendor|off|N/min]
  [--client-id X --client-secret Y | in the environment: SIMULATOR_CLIENT_ID, SIMULATOR_CLIENT_SECRET]
  [--latency-ms N] [--search-lag-ms N] [--option name=value …] [--keep-calls] [--stop-with-parent]
`;

/** Reads the words of a command line, listens, says where in one line of JSON on stdout, and stops on SIGTERM or SIGINT. */
export async function runSimulator(words: readonly string[]): Promise<void> {
  const { values, positionals } = parse(words);
  if (values.help === true) {
    process.stdout.write(simulatorUsage);
    return;
  }
  const [provider = ''] = positionals;
  if (!isSimulatedProvider(provider)) throw SimulatorArgumentWrong.because(`there is no provider "${provider}", only ${Object.keys(simulators).join(', ')}`);
  if (values.data === undefined) throw SimulatorArgumentWrong.because('--data DIR is needed: the journal lives there');
  const clientId = values['client-id'] ?? process.env['SIMULATOR_CLIENT_ID'];
  const clientSecret = values['client-secret'] ?? process.env['SIMULATOR_CLIENT_SECRET'];
  if ((clientId === undefined) !== (clientSecret === undefined)) throw SimulatorArgumentWrong.because('a client id and a client secret are given together or not at all');
  const start: StartSimulator = {
    provider,
    dataDir: values.data,
    port: wholeNumber('port', values.port) ?? 0,
    limits: readLimits(values.limits ?? 'vendor'),
    ...(values.host === undefined ? {} : { host: values.host }),
    ...(clientId === undefined || clientSecret === undefined ? {} : { credentials: { clientId, clientSecret } }),
    ...given('latencyMs', wholeNumber('latency-ms', values['latency-ms'])),
    ...given('searchLagMs', wholeNumber('search-lag-ms', values['search-lag-ms'])),
    options: readOptions(values.option ?? []),
    keepsCalls: values['keep-calls'] === true,
  };
  const running = await startSimulator(start);
  process.stdout.write(`${JSON.stringify({ provider, url: running.url, port: running.port, pid: process.pid })}\n`);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    void running.stop().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // The parent holds the other end of stdin; when it dies, even by SIGKILL, the pipe closes.
  if (values['stop-with-parent'] === true) process.stdin.on('end', stop).on('error', stop).resume();
}

/** The values' types follow from the options. */
function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        data: { type: 'string' },
        limits: { type: 'string' },
        'client-id': { type: 'string' },
        'client-secret': { type: 'string' },
        'latency-ms': { type: 'string' },
        'search-lag-ms': { type: 'string' },
        option: { type: 'string', multiple: true },
        'keep-calls': { type: 'boolean' },
        'stop-with-parent': { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw SimulatorArgumentWrong.from(error, error instanceof Error ? error.message : String(error));
  }
}

function given(name: 'latencyMs' | 'searchLagMs', value: number | undefined): Partial<StartSimulator> {
  return value === undefined ? {} : { [name]: value };
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw SimulatorArgumentWrong.because(`--${name} is a whole number, not ${text}`);
  return Number(text);
}

function readOptions(pairs: readonly string[]): ProviderOptions {
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), optionValue(pair.slice(pair.indexOf('=') + 1))]));
}

function optionValue(text: string): string | number | boolean | readonly string[] {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text.startsWith('[')) return JSON.parse(text) as readonly string[];
  return /^\d+$/.test(text) ? Number(text) : text;
}
