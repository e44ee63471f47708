import { holds, keepsIntents, type Rules } from './rules.js';
import { copy, dispatchOf, isSpent, moment, rowText, type Message, type Pending, type Row, type State } from './state.js';

export interface Transition {
  readonly name: string;
  readonly next: State;
}

const ranks = { unknown: 1, again: 2, failed: 2, ok: 3 } as const;

/** Everything the ledgers may do now. The first decides and writes at once; the second may be overtaken between reading and writing. */
export function ledgerTransitions(state: State, rules: Rules): Transition[] {
  const found: Transition[] = [];
  const decisions: [string, Pending['does']][] = [];
  if (state.row.state === 'ready' && state.row.dispatch < rules.dispatches) decisions.push(['admits the step', 'admit']);
  if (mayBeSwept(state, rules)) decisions.push([`sweeps dispatch ${state.row.dispatch}`, 'sweep']);
  for (const message of state.results) if (!isSpent(message, state.row, rules)) decisions.push([`reads ${message.says} of dispatch ${message.dispatch}`, message]);
  for (const [name, does] of decisions) {
    found.push({ name: `ledger 1 ${name}`, next: write(state, state.row, does, rules) });
    // Reading again what was read changes nothing while guarded; the second ledger need not be delayed in it.
    if (rules.hasSecondLedger && state.pending === null && (typeof does === 'string' || !does.isRead)) found.push({ name: `ledger 2 reads the row, ${name}`, next: { ...copy(state), pending: { row: { ...state.row }, does } } });
  }
  if (state.pending !== null) found.push({ name: 'ledger 2 writes', next: writePending(state, state.pending, rules) });
  state.dispatches.forEach((dispatch, index) => {
    if (dispatch.command !== 'unsent' || dispatch.moment > moment.fresh) return;
    const next = copy(state);
    Object.assign(dispatchOf(next, index + 1), { command: 'sent', copies: 2 });
    found.push({ name: `the outbox sends command ${index + 1}, twice`, next });
  });
  found.push(...lookUps(state, rules), ...cancels(state, rules));
  return found;
}

function isFinal(row: Row): boolean {
  return row.state === 'done' || row.state === 'dead-lettered' || row.state === 'cancelled';
}

function mayBeSwept(state: State, rules: Rules): boolean {
  if (!holds(rules, 'sweeper') || state.row.state !== 'sent' || dispatchOf(state, state.row.dispatch).moment < moment.expired) return false;
  return !holds(rules, 'results-before-sweep') || state.results.every((message) => message.isRead);
}

function writePending(state: State, pending: Pending, rules: Rules): State {
  const isOvertaken = rowText(pending.row) !== rowText(state.row);
  if (isOvertaken && holds(rules, 'guarded-update')) return { ...copy(state), pending: null };
  // What became durable between its reading and its writing could not be known.
  const isSweep = pending.does === 'sweep';
  const written = write(state, pending.row, pending.does, rules);
  return { ...written, pending: null, broken: isSweep && written.broken?.startsWith('repeated') === true ? null : written.broken };
}

/** Decides on the row as it was read and writes the row as decided. */
function write(state: State, read: Row, does: Pending['does'], rules: Rules): State {
  const next = copy(state);
  next.row = { ...read };
  if (does === 'admit') admit(next, rules);
  else if (does === 'sweep') sweep(next, rules);
  else {
    readMessage(next, does, rules);
    const message = next.results.find((one) => one.dispatch === does.dispatch && one.says === does.says && one.lookedUpAt === does.lookedUpAt);
    if (message !== undefined) message.isRead = true;
  }
  if (isFinal(state.row) && next.row.state !== state.row.state && next.row.state !== 'done') next.broken = `overwritten: a step that was ${state.row.state} became ${next.row.state}`;
  return next;
}

function admit(next: State, rules: Rules): void {
  const { row } = next;
  const first = next.dispatches[0];
  const isOld = rules.repeat === 'key' && first !== undefined && first.moment >= moment.visible;
  if (isOld && holds(rules, 'key-half-life') && row.lookUps < 2) {
    row.state = 'unknown';
    row.lookUps = 0;
    return;
  }
  if (row.cancelRequested) next.broken = 'cancel forgotten: a cancelled step was sent again';
  Object.assign(row, { state: 'sent', dispatch: row.dispatch + 1, ranked: 0, lookUps: 0 });
  const keepsIntent = keepsIntents(rules) || (isOld && holds(rules, 'key-half-life'));
  next.dispatches[row.dispatch - 1] = { command: 'unsent', moment: moment.fresh, keepsIntent, intent: null, copies: 0, effects: 0, isVisible: false };
}

function sweep(next: State, rules: Rules): void {
  const dispatch = dispatchOf(next, next.row.dispatch);
  if (!dispatch.keepsIntent) {
    if (next.results.some((message) => message.says === 'ok' && !message.isRead)) next.broken = 'repeated: the outcome was durable when the step was sent again';
    return again(next, rules);
  }
  if (dispatch.intent === 'open') {
    next.row.ranked = 1;
    return becomeUnknown(next, rules);
  }
  if (holds(rules, 'void-by-sweeper')) dispatch.intent = 'void';
  next.row.ranked = 2;
  again(next, rules);
}

function readMessage(next: State, message: Message, rules: Rules): void {
  const { row } = next;
  switch (message.says) {
    case 'found':
    case 'none':
    case 'several':
      return settle(next, message, rules);
    case 'ok':
      Object.assign(row, { state: 'done', ranked: 3 });
      return;
    case 'failed':
    case 'again':
    case 'unknown': {
      const isRanked = holds(rules, 'rank-in-dispatch');
      if (message.dispatch !== row.dispatch && holds(rules, 'only-ok-across-dispatches')) return;
      if (isRanked ? ranks[message.says] <= row.ranked || isFinal(row) : row.ranked === ranks[message.says]) return;
      row.ranked = ranks[message.says];
      if (message.says === 'again') return again(next, rules);
      if (message.says === 'unknown') return becomeUnknown(next, rules);
      Object.assign(row, row.cancelRequested ? { state: 'cancelled', isPossiblyWritten: !keepsIntents(rules) } : { state: 'dead-lettered' });
      return;
    }
    default:
      return message.says satisfies never;
  }
}

function settle(next: State, message: Message, rules: Rules): void {
  const { row } = next;
  if (row.state !== 'unknown' && holds(rules, 'settle-while-unknown')) return;
  if (message.dispatch !== row.dispatch && holds(rules, 'settle-for-its-dispatch')) return;
  if (message.says === 'found') {
    row.state = 'done';
    return;
  }
  if (message.says === 'several') return parkUnknown(row);
  if (message.lookedUpAt < lookUpMoment(row, rules) && holds(rules, 'copied-finding')) return;
  row.lookUps += 1;
  if (row.lookUps < 2 && holds(rules, 'two-look-ups')) return;
  if (row.cancelRequested && holds(rules, 'cancel-is-remembered')) row.state = 'cancelled';
  else row.state = 'ready';
}

/** When the next look-up of this row may be made. */
function lookUpMoment(row: Row, rules: Rules): number {
  if (!holds(rules, 'visibility-wait')) return moment.fresh;
  return row.lookUps === 0 ? moment.visible : moment.visibleAgain;
}

function again(next: State, rules: Rules): void {
  const { row } = next;
  if (row.cancelRequested && holds(rules, 'cancel-is-remembered')) Object.assign(row, { state: 'cancelled', isPossiblyWritten: !keepsIntents(rules) });
  else row.state = 'ready';
}

function becomeUnknown(next: State, rules: Rules): void {
  const { row } = next;
  if (!holds(rules, 'unknown-is-not-resent')) return again(next, rules);
  if (rules.repeat === 'never') return parkUnknown(row);
  Object.assign(row, { state: 'unknown', lookUps: 0 });
}

function parkUnknown(row: Row): void {
  if (row.cancelRequested) Object.assign(row, { state: 'cancelled', isPossiblyWritten: true });
  else row.state = 'parked';
}

/** A worker looks up and publishes what it found; asked again as often as anyone likes. */
function lookUps(state: State, rules: Rules): Transition[] {
  const { row } = state;
  if (row.state !== 'unknown' || !holds(rules, 'settling')) return [];
  const dispatch = dispatchOf(state, row.dispatch);
  if (dispatch.moment < lookUpMoment(row, rules)) return [];
  const seen = state.dispatches.reduce((sum, one) => sum + (one.isVisible ? one.effects : 0), 0);
  const says = seen === 0 ? 'none' : seen === 1 ? 'found' : 'several';
  if (state.results.some((message) => message.dispatch === row.dispatch && message.says === says && message.lookedUpAt === dispatch.moment)) return [];
  const next = copy(state);
  next.results.push({ dispatch: row.dispatch, says, lookedUpAt: dispatch.moment, isRead: true });
  return [{ name: `a look-up for dispatch ${row.dispatch} finds ${says}`, next }];
}

function cancels(state: State, rules: Rules): Transition[] {
  if (state.cancelsLeft === 0) return [];
  const next = copy(state);
  next.cancelsLeft -= 1;
  const { row } = next;
  if (row.state === 'ready' || row.state === 'parked') Object.assign(row, { isPossiblyWritten: row.state === 'parked' || (row.dispatch > 0 && !keepsIntents(rules)), state: 'cancelled' });
  else if (row.state === 'sent' || row.state === 'unknown') {
    if (holds(rules, 'cancel-waits-for-the-call')) row.cancelRequested = true;
    else row.state = 'cancelled';
  } else return [];
  return [{ name: 'somebody cancels the run', next }];
}
