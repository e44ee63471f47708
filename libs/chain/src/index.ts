export { advance } from './advance.js';
export { planRun } from './start.js';
export { isHarmlessTwice, repeatOf } from './repeat.js';
export type { ActionFacts, FailureRule, Plan, PlannedStep, RetryRule } from './plan.js';
export type { Advanced, Effect, Finding, Happening, Json, Prepared, Run, StepOutcome, StepProgress, Surroundings } from './run.js';
export type { ParkingReason, RepeatMethod, RunState, StepState } from './state.js';
export { finalStepStates, isFinal, parkingReasons, repeatMethods, runStates, stepStates, unendedStepStates } from './state.js';
