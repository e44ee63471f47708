import { setTimeout as wait } from 'node:timers/promises';
import type { LedgerClient } from './ledger-client.js';

export interface Standing {
  readonly planned: number;
  readonly running: number;
}

/** How the runs stand, read again and again; what the database does not tell just then stays as it was. */
export class Watch {
  standing: Standing = { planned: 0, running: 0 };
  private isStopped = false;

  constructor(private readonly ledger: LedgerClient) {}

  async read(): Promise<Standing | null> {
    try {
      const [row] = await this.ledger.query<Standing>(`select count(*)::int as planned, (count(*) filter (where state = 'running'))::int as running from runs`);
      if (row !== undefined) this.standing = row;
      return row ?? null;
    } catch {
      // The database is away just now; that is what this is about.
      return null;
    }
  }

  /** Never more than a twentieth of the time goes into looking. */
  async run(each: () => void): Promise<void> {
    while (!this.isStopped) {
      const began = performance.now();
      await this.read();
      each();
      await wait(Math.max(500, 20 * Math.min(2_000, performance.now() - began)));
    }
  }

  stop(): void {
    this.isStopped = true;
  }
}

/** Which steps hold runs up, behind what: the first thing to read when a drain does not end. */
export async function whyStuck(ledger: LedgerClient): Promise<readonly string[]> {
  const steps = await ledger.query<{ line: string }>(`select format('%s steps %s: %s%s', count(*), step->>'id', step->>'state', coalesce(' (' || (step->>'reason') || ')', '')) as line from runs, json_array_elements(steps::json) step where runs.state = 'running' and step->>'state' not in ('done', 'waiting') group by step->>'id', step->>'state', step->>'reason' order by 1`);
  const due = await ledger.query<{ line: string }>(`select format('due work: %s %s, the first due %s from now', count(*), kind, min(due_at) - clock_timestamp()) as line from due_work group by kind order by 1`);
  const gates = await ledger.query<{ line: string }>(`select format('gate of integration %s: %s until %s', integration_id, reason, open_at) as line from gates order by 1`);
  const dispatches = await ledger.query<{ line: string }>(`select format('%s dispatches, %s of them unsent; the first swept %s from now', count(*), count(*) filter (where sent_at is null), min(sweep_at) - clock_timestamp()) as line from dispatches`);
  return [...steps, ...due, ...gates, ...dispatches].map(({ line }) => line);
}
