import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readJournal } from '@trunkline/simulators';
import { openDatabases, type Databases } from '@trunkline/storage';
import { exitCodes } from '../client/failure.js';
import { say, write } from '../client/output.js';
import { projectFolder, stateFolder } from '../client/target.js';
import { Api } from '../client/api.js';
import { Closing } from '../dev/closing.js';
import { LedgerView } from '../dev/ledger-view.js';
import { demoOrganisation, demoProviders } from '../dev/seed.js';
import { judge } from '../dev/verdict.js';
import { calibrate } from './calibration.js';
import { measure, type Measured } from './measure.js';
import { isSound, type BenchResult } from './result.js';
import type { BenchOptions } from './scenario.js';
import { startBenchedPlatform, type BenchedPlatform } from './start-platform.js';
import { databaseSays, hardware } from './surroundings.js';
import { tableOf } from './table.js';

/** Runs one scenario on a platform made for it, with data of its own that goes with it; answers with the exit status. */
export async function runBench(options: BenchOptions): Promise<number> {
  mkdirSync(stateFolder(), { recursive: true });
  const folder = mkdtempSync(join(resolve(stateFolder()), 'bench-'));
  const closing = new Closing();
  closing.add('data', () => rmSync(folder, { recursive: true, force: true }));
  try {
    const machine = hardware();
    const calibration = calibrate(folder);
    say(`Starting the platform for ${options.scenario} (${options.driver}) …`);
    const platform = await startBenchedPlatform({ folder, options }, options.profile);
    closing.add('platform', () => platform.stop());
    const databases = openDatabases(platform.dev.databaseUrl);
    closing.add('database connections', () => databases.close());
    const { version, durability } = await databaseSays(databases);
    const measured = await measure(options, platform, databases);
    const { accepted, ...figures } = measured;
    const verdict = await (options.scenario === 'accept' ? countAccepted(platform, measured) : verify(platform, databases, measured));
    const { says: _says, output, save, profile: _profile, kafka: _kafka, ...asked } = options;
    const result: BenchResult = {
      format: 'trunkline-bench/1', at: new Date().toISOString(), options: asked, versions: { trunkline: commit(), node: process.version, postgresql: version, v8: process.versions.v8 }, hardware: machine, durability, calibration,
      ...figures, accepted: accepted.length, verdict,
    };
    if (save !== undefined) writeFileSync(save, `${JSON.stringify(result, null, 2)}\n`);
    write(output === 'json' ? JSON.stringify(result) : tableOf(result));
    return isSound(result) ? 0 : exitCodes.failed;
  } finally {
    await closing.close();
  }
}

/** Holds the ledger against the providers' journals, over everything this bench sent. */
async function verify(platform: BenchedPlatform, databases: Databases, measured: Measured): Promise<BenchResult['verdict']> {
  const view = new LedgerView(databases, demoOrganisation.id);
  const [steps, { states }, missing] = await Promise.all([view.steps(), view.standing(), view.missing(measured.accepted)]);
  const journals = Object.fromEntries(await Promise.all(platform.simulators.map(async ({ provider, dataDir }) => [provider, await readJournal(dataDir)] as const)));
  const found = judge(journals, steps, demoProviders, missing);
  for (const problem of [...found.lost, ...found.duplicates, ...found.outOfOrder].slice(0, 10)) say(problem);
  return {
    effects: found.effects, expectedEffects: demoProviders.length * measured.accepted.length, lost: found.lost.length, doubled: found.duplicates.length, outOfOrder: found.outOfOrder.length,
    parked: states.parked ?? 0, deadLettered: states['dead-lettered'] ?? 0, unfinished: measured.accepted.length - measured.finished,
  };
}

/** Nobody worked on these: what was accepted must stand in the log, once for each receipt. */
async function countAccepted(platform: BenchedPlatform, { accepted }: Measured): Promise<BenchResult['verdict']> {
  const api = new Api({ url: platform.dev.gateway, apiKey: platform.dev.apiKey, organisationId: null }, 1);
  try {
    const { body } = await api.call<{ readonly topics: readonly { readonly topic: string; readonly records: number | string }[] }>('GET', '/api/topics');
    const records = body.topics.filter(({ topic }) => topic.startsWith('events.')).reduce((sum, topic) => sum + Number(topic.records), 0);
    return { effects: 0, expectedEffects: 0, lost: Math.max(0, accepted.length - records), doubled: Math.max(0, records - accepted.length), outOfOrder: 0, parked: 0, deadLettered: 0, unfinished: 0 };
  } finally {
    await api.close();
  }
}

/** The commit of the checkout, or that there is none. */
function commit(): string {
  try {
    const git = join(projectFolder(), '.git');
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    return head.startsWith('ref: ') ? readFileSync(join(git, head.slice(5)), 'utf8').trim() : head;
  } catch {
    return 'not a checkout';
  }
}
