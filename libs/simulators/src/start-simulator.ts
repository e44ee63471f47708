import { startProvider } from './kit/start.js';
import type { RunningSimulator, SimulatorStart } from './kit/start.js';
import { simulators } from './registry.js';
import type { SimulatedProvider } from './registry.js';

export interface StartSimulator extends SimulatorStart {
  readonly provider: SimulatedProvider;
}

export function startSimulator({ provider, ...start }: StartSimulator): Promise<RunningSimulator> {
  return startProvider(simulators[provider], start);
}
