import { genesys } from './genesys/genesys.js';
import type { ProviderDefinition } from './kit/provider.js';
import { salesforce } from './salesforce/salesforce.js';
import { techone } from './techone/techone.js';

/** One line for each simulated provider. */
export const simulators = { genesys, techone, salesforce } satisfies Readonly<Record<string, ProviderDefinition>>;

export type SimulatedProvider = keyof typeof simulators;

export function isSimulatedProvider(name: string): name is SimulatedProvider {
  return Object.hasOwn(simulators, name);
}
