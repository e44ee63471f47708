import { ledgerTransitions } from './ledger.js';
import { keepsIntents, type Rules } from './rules.js';
import { hash, initial, type State } from './state.js';
import { timeTransitions } from './time.js';
import { workerTransitions } from './worker.js';

export interface Explored {
  readonly states: number;
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | null;
}

/** Visits every state that any interleaving reaches, breadth first, so that the first violation has a shortest trace. */
export function explore(rules: Rules, mostStates = 3_000_000): Explored {
  const start = initial(rules);
  const startHash = hash(start, rules);
  const cameFrom = new Map<string, { readonly from: string; readonly by: string } | null>([[startHash, null]]);
  let level: [string, State][] = [[startHash, start]];
  while (level.length > 0) {
    const nextLevel: [string, State][] = [];
    for (const [from, state] of level) {
      const transitions = [...ledgerTransitions(state, rules), ...workerTransitions(state, rules), ...timeTransitions(state, rules)];
      let moves = 0;
      for (const { name, next } of transitions) {
        const reached = hash(next, rules);
        if (reached === from) continue;
        moves += 1;
        if (cameFrom.has(reached)) continue;
        cameFrom.set(reached, { from, by: name });
        const what = violationIn(next);
        if (what !== null) return { states: cameFrom.size, violation: { what, trace: traceTo(reached, cameFrom) } };
        nextLevel.push([reached, next]);
      }
      const what = moves === 0 ? violationAtRest(state, rules) : null;
      if (what !== null) return { states: cameFrom.size, violation: { what, trace: traceTo(from, cameFrom) } };
    }
    if (cameFrom.size > mostStates) throw new Error(`more than ${mostStates} states: the model is too large to be explored`);
    level = nextLevel;
  }
  return { states: cameFrom.size, violation: null };
}

function violationIn(state: State): string | null {
  if (state.broken !== null) return state.broken;
  const effects = effectsIn(state);
  if (effects > 1) return `doubled: ${effects} effects`;
  if (state.row.state === 'done' && effects === 0) return 'lost: the step is done and the provider holds nothing';
  return null;
}

/** Nothing can happen any more. */
function violationAtRest(state: State, rules: Rules): string | null {
  const { row } = state;
  const areAttemptsUsedUp = row.state === 'ready' && row.dispatch === rules.dispatches;
  if ((row.state === 'ready' && !areAttemptsUsedUp) || row.state === 'sent' || row.state === 'unknown') return `stuck: the step stays ${row.state}`;
  if (!keepsIntents(rules) || effectsIn(state) === 0) return row.state === 'cancelled' && !row.isPossiblyWritten && effectsIn(state) > 0 ? 'lost: cancelled without a word of its effect' : null;
  if (row.state === 'dead-lettered' || areAttemptsUsedUp || (row.state === 'cancelled' && !row.isPossiblyWritten)) return `lost: ${row.state} without a word of its effect`;
  return null;
}

function effectsIn(state: State): number {
  return state.dispatches.reduce((sum, dispatch) => sum + dispatch.effects, 0);
}

function traceTo(reached: string, cameFrom: ReadonlyMap<string, { readonly from: string; readonly by: string } | null>): string[] {
  const trace: string[] = [];
  for (let at = cameFrom.get(reached); at !== null && at !== undefined; at = cameFrom.get(at.from)) trace.unshift(at.by);
  return trace;
}
