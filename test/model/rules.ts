import type { RepeatMethod } from '@trunkline/chain';

/** The guards of docs "delivery" §5–§8, one by one, so that each can be taken out and seen to be needed. */
export const guards = {
  'intent-before-call': 'search-first and never insert their intent before the call',
  'only-inserter-answers': 'an outcome that allows a resend is answered only by whoever inserted the intent',
  'void-by-sweeper': 'the sweeper proves "never started" by inserting the void intent itself',
  'start-before': 'a command past startBefore is not started',
  'deadline-before-write': 'the deadline is checked just before the request is written',
  'results-before-sweep': 'the sweeper acts only once results have been read past its time',
  'settle-for-its-dispatch': 'a finding counts only for the dispatch it was asked for',
  'settle-while-unknown': 'a finding counts only while the step is unknown',
  'two-look-ups': 'absence needs two look-ups',
  'visibility-wait': 'no look-up before calls have ended and what they wrote can be seen',
  'copied-finding': 'a copy of the first finding does not count as the second look-up',
  'guarded-update': 'a run row is changed only as it was read',
  'unknown-is-not-resent': 'an unknown step is looked up or parked, not sent again',
  'rank-in-dispatch': 'within one dispatch ok outranks definitive outranks unknown',
  'only-ok-across-dispatches': 'of an earlier dispatch only ok counts',
  'cancel-waits-for-the-call': 'cancel ends what may be at the provider only when it settles',
  'cancel-is-remembered': 'a cancelled step is not sent again',
  'key-half-life': 'a key older than half its life is looked up before it is sent again',
  'sweeper': 'a dispatch without an answer is swept',
  'settling': 'an unknown step is looked up',
} as const;
export type Guard = keyof typeof guards;

export interface Rules {
  /** Or from where a first dispatch was looked up twice and not found, to reach what only a second can show. */
  readonly from: 'the first dispatch' | 'a dispatch proven absent';
  readonly repeat: RepeatMethod;
  readonly without: Guard | null;
  /** Commands one step may get; at the last one the attempts are used up. */
  readonly dispatches: number;
  readonly crashes: number;
  readonly cancels: number;
  /** A second ledger that is overtaken between reading a row and writing it. With guarded updates it does what the first does, or nothing; so most explorations leave it out. */
  readonly hasSecondLedger: boolean;
}

export function holds(rules: Rules, guard: Guard): boolean {
  return rules.without !== guard;
}

export function keepsIntents(rules: Rules): boolean {
  return rules.repeat === 'search-first' || rules.repeat === 'never';
}
