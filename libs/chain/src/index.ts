export type { ActionFacts, FailureRule, Plan, PlannedStep, RetryRule } from './plan.js';
export type { Advanced, Effect, Finding, Happening, Json, Prepared, Run, StepOutcome, StepProgress, Surroundings } from './run.js';
export type { ParkingReason, RepeatMethod, RunState, StepState } from './state.js';
export { finalStepStates, parkingReasons, repeatMethods, runStates, stepStates, unendedStepStates } from './state.js';
