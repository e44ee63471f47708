import type { Draft } from './draft.js';
import { cancelStep, mayHaveWritten } from './cancel.js';
import { parkStep } from './park.js';
import { isHarmlessTwice, repeatOf } from './repeat.js';
import { backOffMs } from './retry.js';

/** The worker cannot tell whether the effect exists (P4): `key` and `upsert` are sent again, the others are looked up or parked, never resent blindly. */
export function becomeUnknown(draft: Draft, stepId: string, code: string, expiresAtMs?: number): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  const facts = draft.surroundings.factsOf(stepId);
  const { retry } = draft.planned(stepId);
  const attempts = step.attempts + 1;
  // "Same key, other body" answers unknown for ever: once the attempts are used up, look or ask a person.
  if (facts === undefined || !isHarmlessTwice(repeatOf(facts, step)) || attempts >= retry.attempts) return lookUpFrom(draft, stepId, code, expiresAtMs);
  if (step.cancelRequested) return cancelStep(draft, stepId, mayHaveWritten(draft, step));
  const dueAtMs = draft.nowMs + backOffMs(retry, attempts, draft.surroundings.random());
  draft.change(stepId, { state: 'deferred', reason: code, dueAtMs });
  draft.emit({ kind: 'wake', stepId, dueAtMs });
}

/** The first look-up waits until no call of this dispatch can still run and what it wrote can be seen; without a search a person must say. */
export function lookUpFrom(draft: Draft, stepId: string, code: string, expiresAtMs?: number): void {
  const step = draft.step(stepId);
  if (step === undefined) return;
  const search = draft.surroundings.factsOf(stepId)?.search;
  if (search === undefined) return parkStep(draft, stepId, 'unknown');
  const callsEndMs = expiresAtMs ?? (step.startBeforeMs ?? draft.nowMs) + draft.planned(stepId).timeoutMs;
  const dueAtMs = Math.max(draft.nowMs, callsEndMs + (search.commitWithinMs ?? 0) + (search.visibleAfterMs ?? 0));
  draft.change(stepId, { state: 'unknown', reason: code, dueAtMs, lookUps: 0, lastLookUpAtMs: null });
  draft.emit({ kind: 'look-up', stepId, dispatch: step.dispatch, dueAtMs });
}
