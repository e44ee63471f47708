import { TrunklineError } from '@trunkline/contracts';
import { runSimulator, simulatorUsage } from './run-simulator.js';

runSimulator(process.argv.slice(2)).catch((error: unknown) => {
  const isOurs = error instanceof TrunklineError;
  process.stderr.write(isOurs ? `${error.message}\n  ${error.definition.fix}\n` : `${error instanceof Error ? error.message : String(error)}\n${simulatorUsage}`);
  process.exitCode = isOurs && error.definition.class !== 'usage' ? 1 : 2;
});
