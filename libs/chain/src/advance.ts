import { admit } from './admit.js';
import { answeredByPerson } from './answer.js';
import { cancel } from './cancel.js';
import { Draft } from './draft.js';
import { due } from './due.js';
import { applyFinding } from './finding.js';
import { openFrontier } from './frontier.js';
import { applyResult } from './outcome.js';
import { park } from './park.js';
import type { Plan } from './plan.js';
import { redrive } from './redrive.js';
import type { Advanced, Happening, Run, Surroundings } from './run.js';
import { conclude } from './run-state.js';
import { applySwept } from './sweep.js';

/**
 * The one place where a run changes: what happened goes in, the run as it stands now and what must be written with it come out.
 * Pure, and idempotent for everything that a log may deliver twice. It never decides who calls: gates, subjects' turns and due times are the caller's.
 */
export function advance(plan: Plan, run: Run, happening: Happening, surroundings: Surroundings): Advanced {
  if (isAhead(run, happening)) return { run, effects: [], isStale: true };
  const draft = new Draft(plan, run, surroundings);
  work(draft, happening);
  if (draft.isChanged || happening.kind === 'start') openFrontier(draft);
  if (!draft.isChanged) return { run, effects: happening.kind === 'start' && run.steps.length === 0 ? [{ kind: 'finished', state: run.state }] : draft.effects };
  const after = conclude(draft);
  return { run: after, effects: draft.effects };
}

function work(draft: Draft, happening: Happening): void {
  switch (happening.kind) {
    case 'start':
      return;
    case 'admit':
      return admit(draft, happening);
    case 'result':
      return applyResult(draft, happening);
    case 'due':
      return due(draft, happening);
    case 'swept':
      return applySwept(draft, happening);
    case 'finding':
      return applyFinding(draft, happening);
    case 'answered-by-person':
      return answeredByPerson(draft, happening);
    case 'park':
      return park(draft, happening);
    case 'cancel':
      return cancel(draft);
    case 'redrive':
      return redrive(draft);
    default:
      return happening satisfies never;
  }
}

/** Whether the happening speaks of a command that this copy of the run has not sent yet. */
function isAhead(run: Run, happening: Happening): boolean {
  if (happening.kind !== 'result' && happening.kind !== 'swept' && happening.kind !== 'finding') return false;
  const step = run.steps.find((candidate) => candidate.id === happening.stepId);
  return step !== undefined && happening.dispatch > step.dispatch;
}
