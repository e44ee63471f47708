import type { Guard, Rules } from './rules.js';

/** How far a dispatch's time has run. Only the order of these moments matters to the rules, so the model has no other clock. */
export const moment = {
  fresh: 0,
  /** Past `startBefore`: no call may start. */
  startBefore: 1,
  /** Past `startBefore` + deadline: no call may be written, the sweeper may act (its 5 s cover clocks that differ). */
  expired: 2,
  /** Past `commitWithin` + `visibleAfter` as well: whatever was written in time can be found. */
  visible: 3,
  /** `visibleAfter` later: what a short freeze delayed can be found too. A `key` is forgotten here. */
  visibleAgain: 4,
} as const;

export interface Row {
  state: 'ready' | 'sent' | 'unknown' | 'parked' | 'done' | 'dead-lettered' | 'cancelled';
  dispatch: number;
  /** 0 none, 1 unknown, 2 definitive, 3 ok. */
  ranked: number;
  lookUps: number;
  cancelRequested: boolean;
  isPossiblyWritten: boolean;
}

export type Answer = 'ok' | 'failed' | 'again' | 'unknown';

/** `started`: has found the command in time · `inserted`: may call while its deadline lasts · `answered`: knows the outcome, has not published it. */
export interface Worker {
  at: 'idle' | 'started' | 'inserted' | 'answered';
  dispatch: number;
  answer: Answer | null;
}

export interface Dispatch {
  command: 'unsent' | 'sent';
  moment: number;
  /** Whether a worker inserts an intent before it calls: by the repeat method, and for a `key` past half its life. */
  keepsIntent: boolean;
  intent: 'open' | 'void' | null;
  /** Copies of the command that a worker may still be handed. */
  copies: number;
  effects: number;
  isVisible: boolean;
}

/** One record of `results`; it stays readable, so redelivery needs nothing of its own. */
export interface Message {
  dispatch: number;
  says: Answer | 'found' | 'none' | 'several';
  /** Of a finding: when it was looked up. The sweeper does not wait for findings, so they count as read. */
  lookedUpAt: number;
  isRead: boolean;
}

/** What the second ledger decides on: the row as it read it, some time ago. */
export interface Pending {
  row: Row;
  does: 'admit' | 'sweep' | Message;
}

export interface State {
  row: Row;
  dispatches: Dispatch[];
  workers: Worker[];
  results: Message[];
  pending: Pending | null;
  crashesLeft: number;
  cancelsLeft: number;
  /** Set by a transition that breaks a promise in a way no single state shows. */
  broken: string | null;
}

export function initial(rules: Rules): State {
  const start: State = {
    row: { state: 'ready', dispatch: 0, ranked: 0, lookUps: 0, cancelRequested: false, isPossiblyWritten: false },
    dispatches: [],
    workers: [idle(), idle()],
    results: [],
    pending: null,
    crashesLeft: rules.crashes,
    cancelsLeft: rules.cancels,
    broken: null,
  };
  if (rules.from === 'the first dispatch') return start;
  const over: Dispatch = { command: 'sent', moment: moment.visibleAgain, keepsIntent: true, intent: 'open', copies: 1, effects: 0, isVisible: false };
  const none = { dispatch: 1, says: 'none', isRead: true } as const;
  return { ...start, row: { ...start.row, dispatch: 1, ranked: 1, lookUps: 2 }, dispatches: [over], results: [{ ...none, lookedUpAt: moment.visible }, { ...none, lookedUpAt: moment.visibleAgain }] };
}

export function idle(): Worker {
  return { at: 'idle', dispatch: 0, answer: null };
}

export function copy(state: State): State {
  return {
    ...state,
    row: { ...state.row },
    dispatches: state.dispatches.map((dispatch) => ({ ...dispatch })),
    workers: state.workers.map((worker) => ({ ...worker })),
    results: state.results.map((message) => ({ ...message })),
    pending: state.pending,
  };
}

const guardsOfReading: readonly (Guard | null)[] = ['rank-in-dispatch', 'only-ok-across-dispatches', 'settle-for-its-dispatch', 'settle-while-unknown', 'guarded-update'];

/** A record that was read and of which nothing can come any more, as long as reading is guarded. */
export function isSpent(message: Message, row: Row, rules: Rules): boolean {
  return message.isRead && (message.dispatch < row.dispatch || message.lookedUpAt === 0) && !guardsOfReading.includes(rules.without);
}

/** Equal for states that differ only in which worker is which, in the order of results, and in spent records. */
export function hash(state: State, rules: Rules): string {
  let text = `${rowText(state.row)}|${state.crashesLeft}${state.cancelsLeft}${state.broken ?? ''}|`;
  for (const one of state.dispatches) text += `${one.command === 'sent' ? 's' : 'u'}${one.moment}${one.keepsIntent ? (one.intent ?? '-') : ''}${one.copies}${one.effects}${one.isVisible ? 'v' : ''},`;
  text += sorted(state.workers.map(workerText));
  text += sorted(state.results.filter((message) => !isSpent(message, state.row, rules)).map(messageText));
  if (state.pending !== null) text += `${rowText(state.pending.row)}>${typeof state.pending.does === 'string' ? state.pending.does : messageText(state.pending.does)}`;
  return text;
}

function sorted(texts: string[]): string {
  if (texts.length > 1) texts.sort();
  return `${texts.join()}|`;
}

function workerText(worker: Worker): string {
  return worker.at === 'idle' ? '-' : `${worker.at}${worker.dispatch}${worker.answer ?? ''}`;
}

export function rowText(row: Row): string {
  return `${row.state}${row.dispatch}${row.ranked}${row.lookUps}${row.cancelRequested ? 'c' : ''}${row.isPossiblyWritten ? 'p' : ''}`;
}

function messageText(message: Message): string {
  return `${message.dispatch}${message.says}${message.lookedUpAt}${message.isRead ? 'r' : ''}`;
}

/** The dispatch of this number; the model never asks for one it has not made. */
export function dispatchOf(state: State, number: number): Dispatch {
  const dispatch = state.dispatches[number - 1];
  if (dispatch === undefined) throw new Error(`the model has no dispatch ${number}`);
  return dispatch;
}
