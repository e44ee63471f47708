import type { EventLog } from '@trunkline/event-log';
import type { Evidence, OffsetSample, PauseEvidence } from '../checker/evidence.js';
import { simulatedProviders } from '../council.js';
import { LedgerClient } from '../ledger-client.js';
import type { Accepted } from '../load.js';
import type { ChaosPlatform } from '../platform.js';
import { readCallWindow, readEffects } from './journals.js';
import { readLedger } from './ledger.js';
import { readLog } from './log.js';
import { askAsTenants } from './tenants.js';

/** What was seen while it ran. */
export interface SeenMeanwhile {
  readonly accepted: readonly Accepted[];
  readonly samples: readonly OffsetSample[];
  readonly pauses: readonly PauseEvidence[];
}

/** When everything has come to rest. */
export async function gather(platform: ChaosPlatform, log: EventLog, { accepted, samples, pauses }: SeenMeanwhile, onProgress: (line: string) => void): Promise<Evidence> {
  const { councils, simulators, landscape, gatewayUrl } = platform;
  const client = new LedgerClient(landscape.databaseUrl);
  const idOf = new Map(councils.map(({ name, organisationId }) => [name, organisationId]));
  onProgress('reading the ledger');
  const ledger = await readLedger(client);
  onProgress('reading the log');
  const { commands, records } = await readLog(log, ledger, (count) => onProgress(`reading the log: ${count} records`));
  onProgress('reading the journals');
  const effects = (await Promise.all(simulatedProviders.map((name) => readEffects(name, simulators[name].dataDir)))).flat();
  const calls = await Promise.all(councils.flatMap(({ limits }) => limits.map((limit) => readCallWindow(limit, simulators[limit.provider as keyof typeof simulators].dataDir))));
  onProgress('asking as each organisation');
  const foreign = await askAsTenants(client, councils, gatewayUrl);
  return {
    organisations: councils.map(({ organisationId, name, steps }) => ({ organisationId, name, steps })),
    receipts: accepted.map(({ council, eventId, runId, atMs }) => ({ organisationId: idOf.get(council) ?? '', eventId, runId, atMs })),
    runs: ledger.runs,
    attempts: ledger.attempts,
    letters: ledger.letters,
    intents: ledger.intents,
    commands,
    records,
    samples,
    effects,
    calls,
    pauses,
    foreign,
  };
}
