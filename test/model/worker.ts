import type { Transition } from './ledger.js';
import { holds, keepsIntents, type Rules } from './rules.js';
import { copy, dispatchOf, idle, moment, type Answer, type Dispatch, type State, type Worker } from './state.js';

/** Everything the workers and the provider may do now, crashes included. */
export function workerTransitions(state: State, rules: Rules): Transition[] {
  const found: Transition[] = [];
  state.workers.forEach((worker, index) => {
    const step = (does: string, change: (worker: Worker, dispatch: Dispatch, next: State) => void, number = worker.dispatch): void => {
      const next = copy(state);
      const changed = next.workers[index];
      if (changed === undefined) return;
      change(changed, dispatchOf(next, number), next);
      found.push({ name: `worker ${index + 1} ${does}`, next });
    };
    if (worker.at === 'idle') {
      // Which of two idle workers takes a command makes no difference.
      if (state.workers.findIndex((other) => other.at === 'idle') < index) return;
      state.dispatches.forEach((dispatch, at) => {
        if (dispatch.copies > 0) step(`takes command ${at + 1}`, (taker, taken) => take(taker, taken, at + 1, rules), at + 1);
      });
      return;
    }
    work(worker, dispatchOf(state, worker.dispatch), rules, step);
    if (state.crashesLeft > 0) {
      step('is killed; its record comes back', (killed, dispatch, next) => {
        Object.assign(killed, idle());
        dispatch.copies += 1;
        next.crashesLeft -= 1;
      });
    }
  });
  return found;
}

type Step = (does: string, change: (worker: Worker, dispatch: Dispatch, next: State) => void) => void;

function work(worker: Worker, dispatch: Dispatch, rules: Rules, step: Step): void {
  switch (worker.at) {
    case 'started':
      step('is out of budget', (at, of) => insert(at, of, 'void', rules));
      return step('inserts its intent', (at, of) => insert(at, of, 'open', rules));
    case 'inserted':
      // At `expired` either may be: clocks differ by less than the sweeper's 5 s, and a process may freeze between the check and the write, but for less
      // than `visibleAfter`; longer freezes are what remains (§6.3).
      if (dispatch.moment >= moment.expired) step('finds its deadline passed', (at) => reply(at, 'again'));
      if (dispatch.moment <= moment.visible || !holds(rules, 'deadline-before-write')) call(dispatch, rules, step);
      return;
    case 'answered':
      return step(`publishes ${worker.answer ?? 'nothing'} of dispatch ${worker.dispatch}`, (at, _of, next) => {
        const says = at.answer ?? 'unknown';
        if (!next.results.some((message) => message.dispatch === at.dispatch && message.says === says)) next.results.push({ dispatch: at.dispatch, says, lookedUpAt: 0, isRead: false });
        Object.assign(at, idle());
      });
    case 'idle':
      return;
    default:
      return worker.at satisfies never;
  }
}

/** §6.2: a command in time is started, one too late is answered `expired`, under the same rule of intents. */
function take(worker: Worker, dispatch: Dispatch, number: number, rules: Rules): void {
  dispatch.copies -= 1;
  Object.assign(worker, { at: 'started', dispatch: number });
  if (dispatch.moment >= moment.startBefore && holds(rules, 'start-before')) insert(worker, dispatch, 'void', rules);
  // Without an intent nothing lies between the check and the call that anybody else could see.
  else if (!dispatch.keepsIntent) insert(worker, dispatch, 'open', rules);
}

/** §6.1: who inserts may go on; who finds `void` discards; who finds `open` never calls and cannot know. */
function insert(worker: Worker, dispatch: Dispatch, intent: 'open' | 'void', rules: Rules): void {
  const isPastDeadline = dispatch.moment >= moment.visible && holds(rules, 'deadline-before-write');
  const goOn = (): void => (intent === 'open' && !isPastDeadline ? void (worker.at = 'inserted') : reply(worker, 'again'));
  if (!dispatch.keepsIntent || !holds(rules, 'intent-before-call')) return goOn();
  if (dispatch.intent === null) {
    dispatch.intent = intent;
    return goOn();
  }
  if (dispatch.intent === 'void') Object.assign(worker, idle());
  else if (intent === 'void' && !holds(rules, 'only-inserter-answers')) reply(worker, 'again');
  else reply(worker, 'unknown');
}

function reply(worker: Worker, answer: Answer): void {
  worker.at = 'answered';
  worker.answer = answer;
}

/** The request reaches the provider, and an answer comes back or is cut off. */
function call(dispatch: Dispatch, rules: Rules, step: Step): void {
  const cutOff = dispatch.keepsIntent ? 'unknown' : 'again';
  step('calls: written, answered', (at, of, next) => (writeAtProvider(of, next, rules), reply(at, 'ok')));
  step('calls: written, the answer is cut off', (at, of, next) => (writeAtProvider(of, next, rules), reply(at, cutOff)));
  step('calls: nothing written, the answer is cut off', (at) => reply(at, cutOff));
  step('calls: told to wait', (at) => reply(at, 'again'));
  step('calls: refused', (at) => reply(at, 'failed'));
}

/** The provider takes the write; `key` and `upsert` are the same record while it remembers them. */
function writeAtProvider(dispatch: Dispatch, next: State, rules: Rules): void {
  const isForgotten = rules.repeat === 'key' && dispatchOf(next, 1).moment >= moment.visibleAgain;
  const isKnown = next.dispatches.some((one) => one.effects > 0);
  if (!keepsIntents(rules) && isKnown && !isForgotten) return;
  dispatch.effects += 1;
  dispatch.isVisible = false;
}
