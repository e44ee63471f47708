import type { PoolClient } from 'pg';
import type { Decision } from './decision.js';

/** Runs of one root share their effect keys: only one of them may have a key past `waiting` and not final (delivery §5). */
export class Families {
  async read(_client: PoolClient, _decisions: readonly Decision[]): Promise<void> {}

  holds(_decision: Decision, _stepId: string): boolean {
    return false;
  }
}
