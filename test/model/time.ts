import type { Transition } from './ledger.js';
import { keepsIntents, type Rules } from './rules.js';
import { copy, dispatchOf, moment, type State } from './state.js';

/** Time passes for a dispatch, as far as what is under way lets it. */
export function timeTransitions(state: State, rules: Rules): Transition[] {
  const found: Transition[] = [];
  state.dispatches.forEach((dispatch, index) => {
    const number = index + 1;
    const earlier = index === 0 ? undefined : state.dispatches[index - 1];
    // Nothing is looked up nor forgotten there.
    const last = { upsert: moment.expired, never: moment.visible, key: moment.visibleAgain, 'search-first': moment.visibleAgain }[rules.repeat];
    if (dispatch.moment >= last || (earlier !== undefined && dispatch.moment >= earlier.moment)) return;
    // Half a key's life is far longer than a command's.
    const isKeyInUse = !keepsIntents(rules) && index === 0 && dispatch.moment === moment.visible && (state.dispatches.slice(1).some((later) => later.moment < moment.expired) || state.workers.some((worker) => worker.at === 'inserted' || worker.at === 'started'));
    if (isKeyInUse) return;
    const next = copy(state);
    const ticked = dispatchOf(next, number);
    ticked.moment += 1;
    if (ticked.moment >= moment.visible && ticked.effects > 0) ticked.isVisible = true;
    found.push({ name: `time: dispatch ${number} is past ${Object.keys(moment)[ticked.moment] ?? ''}`, next });
  });
  return found;
}
