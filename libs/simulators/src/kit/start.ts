import { SimulatorClock } from './clock.js';
import { Control } from './control.js';
import { DataLock } from './data-lock.js';
import { SimulatorJournalUnreadable } from './errors.js';
import { Journal } from './journal.js';
import { LastingState } from './lasting-state.js';
import { KeptCalls } from './kept-calls.js';
import type { LimitSetting } from './limits.js';
import type { ProviderDefinition } from './provider.js';
import { RecordStore } from './record-store.js';
import { close, listen, serverFor } from './server.js';
import { changeSettings } from './settings.js';
import type { ProviderOptions } from './settings.js';
import { Simulator } from './simulator.js';
import { Tokens } from './tokens.js';
import type { ClientCredentials } from './tokens.js';

export interface SimulatorStart {
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** A folder of this simulator alone. */
  readonly dataDir: string;
  readonly limits?: LimitSetting;
  /** Absent: any non-empty client id and secret are accepted. */
  readonly credentials?: ClientCredentials;
  readonly latencyMs?: number;
  readonly searchLagMs?: number;
  /** What only this provider knows; the names are in its folder. */
  readonly options?: ProviderOptions;
  readonly host?: string;
  /** Write every call into `calls.tsv` of the data folder. */
  readonly keepsCalls?: boolean;
}

export interface RunningSimulator {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Rebuilds the provider's records from the journal and listens. */
export async function startProvider(provider: ProviderDefinition, start: SimulatorStart): Promise<RunningSimulator> {
  const host = start.host ?? '127.0.0.1';
  const lock = new DataLock(start.dataDir);
  await lock.refuseSecond();
  const state = new LastingState(start.dataDir);
  const clock = new SimulatorClock(state.now.clockAheadMs);
  const store = new RecordStore(provider.indexes);
  let lastSeq = 0;
  const journal = await Journal.open(start.dataDir, (entry) => {
    if (entry.provider !== provider.id) throw SimulatorJournalUnreadable.because(`${start.dataDir} holds the journal of ${entry.provider}, not of ${provider.id}`);
    store.apply(entry);
    lastSeq = entry.seq;
    clock.notBefore(Date.parse(entry.at));
  });
  const tokens = new Tokens(state, start.credentials, provider.tokenPrefix);
  const keptCalls = start.keepsCalls === true ? KeptCalls.open(start.dataDir) : undefined;
  const simulator = new Simulator({ provider, store, journal, lastSeq, clock, tokens, state, settings: settingsOf(provider, start), ...(keptCalls && { keptCalls }) });
  const server = serverFor(simulator, new Control(simulator, start.dataDir, lock.instance));
  const port = await listen(server, start.port ?? 0, host).catch((error: unknown) => {
    journal.close();
    throw error;
  });
  const url = `http://${host}:${port}`;
  lock.take(url);
  return {
    url,
    port,
    stop: async () => {
      await close(server);
      journal.close();
      keptCalls?.close();
      lock.release();
    },
  };
}

function settingsOf(provider: ProviderDefinition, { limits = 'vendor', latencyMs = 0, searchLagMs = provider.defaultSearchLagMs, options = {} }: SimulatorStart): ReturnType<typeof changeSettings> {
  return changeSettings({ limits, latencyMs, searchLagMs, options: provider.options }, { options });
}
