import { pathToFileURL } from 'node:url';
import { readSyncLedgerConfig, startSyncLedger } from '@trunkline/app-sync-ledger';
import { catalogueOf, providers } from '@trunkline/connectors';
import { runService } from '@trunkline/service';
import { startProvider } from '@trunkline/simulators';
import { readConnectorConfig, startConnector } from '@trunkline/worker';
import { prepareCouncils } from './councils.js';
import { rehearsal } from './rehearsal/provider.js';
import { simulatedRehearsal } from './rehearsal/simulated.js';

/**
 * The processes of a rehearsal that differ from an operator's own: a ledger and a CRM worker that know one provider more, that provider's simulator,
 * and the preparation of database and organisations. Everything else is started by its app's own main file.
 */
const roles: Readonly<Record<string, () => Promise<void>>> = {
  ledger: () => runService(() => startSyncLedger(readSyncLedgerConfig(), { catalogue: catalogueOf([...providers, rehearsal]), settings: ledgerSettings() })),
  'crm-worker': () => runService(() => startConnector({ family: 'crm', providers: [...providers.filter(({ family }) => family === 'crm'), rehearsal] }, readConnectorConfig())),
  simulator: runRehearsalSimulator,
  prepare: async () => void process.stdout.write(`${JSON.stringify(await prepareCouncils(JSON.parse(process.env['CHAOS_PREPARATION'] ?? '{}')))}\n`),
};

function ledgerSettings(): { readonly startWithinMs?: number } {
  const startWithinMs = Number(process.env['CHAOS_START_WITHIN_MS'] ?? 0);
  return startWithinMs > 0 ? { startWithinMs } : {};
}

async function runRehearsalSimulator(): Promise<void> {
  const { CHAOS_DATA: dataDir = '', CHAOS_PORT: port = '0', CHAOS_LATENCY_MS: latencyMs = '0' } = process.env;
  const running = await startProvider(simulatedRehearsal, { dataDir, port: Number(port), limits: 'off', latencyMs: Number(latencyMs), keepsCalls: true });
  const stop = (): void => void running.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop).once('SIGINT', stop);
  process.stdin.on('end', stop).on('error', stop).resume();
}

const [main, role = ''] = process.argv.slice(1);
if (main !== undefined && import.meta.url === pathToFileURL(main).href) {
  const run = roles[role];
  if (run === undefined) throw new Error(`there is no role ${role}, only ${Object.keys(roles).join(', ')}`);
  void run();
}
