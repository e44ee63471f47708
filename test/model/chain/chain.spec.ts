import { advance } from '@trunkline/chain';
import fc from 'fast-check';
import { cases } from './chains.js';
import { faults } from './faults.js';
import { World, type Engine } from './world.js';

const numRuns = Number(process.env['CHAIN_CASES'] ?? 60_000);
const seed = Number(process.env['CHAIN_SEED'] ?? Date.now() % 2_147_483_647);
/** The rarest fault shows in one of a thousand cases: whether it is found is no matter of chance. */
const seedOfFaults = Number(process.env['CHAIN_SEED'] ?? 7_919);

describe(`a run, whatever happens to it (seed ${seed}; repeat with CHAIN_SEED=${seed})`, () => {
  it(`keeps order, one effect per step, final states, attempts, subjects and cancels over ${numRuns} cases, and always comes to rest`, () => {
    fc.assert(property(advance), { numRuns, seed });
  }, 120_000);

  it.each(Object.keys(faults))('notices an engine that %s', (name) => {
    const { failed, numRuns: tried, error } = check(name);
    if (process.env['CHAIN_FAULTS'] !== undefined) process.stdout.write(`${name}: ${tried} cases, ${error}\n`);
    expect({ name, failed }).toEqual({ name, failed: true });
  }, 120_000);
});

function check(name: string): { failed: boolean; numRuns: number; error: string } {
  const engine = faults[name];
  if (engine === undefined) throw new Error(`no fault ${name}`);
  const { failed, numRuns: tried, errorInstance } = fc.check(property(engine), { numRuns: Math.min(numRuns, 10_000), seed: seedOfFaults, endOnFailure: true });
  return { failed, numRuns: tried, error: errorInstance instanceof Error ? errorInstance.message : String(errorInstance) };
}

function property(engine: Engine): fc.IProperty<[Parameters<typeof lives>[0]]> {
  return fc.property(cases, (given) => lives(given, engine));
}

function lives(given: ConstructorParameters<typeof World>[0], engine: Engine): void {
  new World(given, engine).live();
}
