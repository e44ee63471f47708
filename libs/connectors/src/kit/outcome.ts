import type { Finding, RepeatMethod, StepOutcome } from '@trunkline/chain';
import { isHarmlessTwice } from '@trunkline/chain';
import type { TokenFailure } from './tokens.js';
import type { Treatment } from './error-rules.js';
import type { Verdict } from './verdict.js';

type Bad = Exclude<Verdict, { readonly kind: 'good' }>;

/** What a write came to that brought no readable success. P4: once its first byte has left, anything but a listed proof is `unknown` for `search-first` and `never`. */
export function outcomeOfWrite(verdict: Bad, repeat: RepeatMethod, nowMs: number): StepOutcome {
  const { code, message } = verdict;
  const isHarmless = isHarmlessTwice(repeat);
  if (verdict.kind === 'unreadable') return isHarmless ? { kind: 'transient', code, message, reached: true } : { kind: 'unknown', code, message };
  if (verdict.kind === 'lost') return verdict.reached && !isHarmless ? { kind: 'unknown', code, message } : outcomeOfLost(verdict);
  if (!isHarmless && !verdict.provesNothingWritten) return { kind: 'unknown', code, message };
  return outcomeOfTreatment(verdict.treatment, verdict, nowMs);
}

/** What a call came to that had to come before the write and failed: the write has not been sent, so nothing is in doubt. */
export function outcomeOfPreparation(verdict: Bad, nowMs: number): StepOutcome {
  const { code, message } = verdict;
  if (verdict.kind === 'unreadable') return { kind: 'transient', code, message, reached: true };
  if (verdict.kind === 'lost') return outcomeOfLost(verdict);
  return outcomeOfTreatment(verdict.treatment, verdict, nowMs);
}

export function outcomeOfTokenFailure(failure: TokenFailure, nowMs: number): StepOutcome {
  const { code, message } = failure;
  if (failure.class === 'auth') return { kind: 'auth', code, message };
  if (failure.class === 'throttled') return { kind: 'throttled', untilMs: nowMs + failure.waitMs, code, message };
  return { kind: 'transient', code, message, reached: false };
}

export function findingOfTokenFailure(failure: TokenFailure, nowMs: number): Finding {
  const { code, message } = failure;
  return { kind: 'failed', class: failure.class, code, message, ...(failure.class === 'throttled' ? { untilMs: nowMs + failure.waitMs } : {}) };
}

/** A look-up that brought no answer proves nothing either way. */
export function findingOf(verdict: Bad, nowMs: number): Finding {
  const { code, message } = verdict;
  if (verdict.kind === 'refused' && verdict.treatment.kind === 'throttled') return { kind: 'failed', class: 'throttled', code, message, untilMs: nowMs + (verdict.waitMs ?? 0) };
  if (verdict.kind === 'refused' && verdict.treatment.kind === 'auth') return { kind: 'failed', class: 'auth', code, message };
  return { kind: 'failed', class: 'transient', code, message };
}

function outcomeOfLost({ reason, reached, code, message }: Extract<Verdict, { kind: 'lost' }>): StepOutcome {
  // The address is a setting: repeating cannot help until somebody changes it.
  if (reason === 'address-refused') return { kind: 'auth', code, message };
  return { kind: 'transient', code, message, reached };
}

function outcomeOfTreatment(treatment: Treatment, { code, message, waitMs }: { readonly code: string; readonly message: string; readonly waitMs: number | null }, nowMs: number): StepOutcome {
  switch (treatment.kind) {
    case 'throttled':
      return { kind: 'throttled', untilMs: nowMs + (waitMs ?? treatment.otherwiseMs), code, message };
    case 'auth':
      return { kind: 'auth', code, message };
    case 'transient':
      return { kind: 'transient', code, message, reached: true, ...(waitMs === null ? {} : { retryAfterMs: waitMs }) };
    case 'unknown':
      return { kind: 'unknown', code, message };
    case 'data':
    case 'conflict':
      return { kind: 'failed', class: treatment.kind, code, message };
    default:
      return treatment satisfies never;
  }
}
