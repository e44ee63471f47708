import type { LogDriver } from '../driver.js';
import type { LogRecord } from '../port.js';

/** How long appends wait for a server that does not answer, where an engine holds them back: longer than a busy machine stands still, or no longer than an outage lasts in a test. */
export type Patience = 'patient' | 'impatient';

/** What the suite needs of an engine under test. One harness serves all cases; every case uses topics and groups of its own. */
export interface Harness {
  /** A new driver in this process, as a process of its own would open it. Heartbeats about a tenth of the session time-out. */
  open(patience: Patience): Promise<LogDriver>;
  /** Time after which the group gives a silent member up; 2–6 s keep the suite short on a busy machine. */
  readonly sessionTimeoutMs: number;
  /** How a child process opens the same: a compiled module that exports `openDriver(argument: string): Promise<LogDriver>`. */
  readonly child: { readonly module: string; readonly argument: string };
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
  /** A writer that appends, holds its transaction open while it pauses, and then commits it or rolls it back. Where an engine has no transactions it pauses first and then appends, or does not. */
  writeRudely(topic: string, record: LogRecord, fate: { pause(): Promise<unknown>; readonly isRolledBack: boolean }): Promise<void>;
  /** Lets the engine remove whatever it may once retention has passed; only these groups count as live. */
  applyRetention(liveGroups: readonly string[]): Promise<void>;
  /** Whether every offset is given to a record that can be read. */
  readonly hasGaplessOffsets: boolean;
  close(): Promise<void>;
}
