export type { Ledger, LedgerFigures, LedgerOptions, LedgerPasses } from './ledger.js';
export { createLedger } from './ledger.js';
export type { LedgerSettings } from './settings.js';
export { defaultSettings } from './settings.js';
export type { LedgerClock } from './clock.js';
export { measuredClock } from './clock.js';
export type { ActionCatalogue } from './flush/catalogue.js';
export type { CompileChain, CompiledChain, EventView } from './plan/compile.js';
export type { LedgerVerbsOptions } from './verbs/ledger-verbs.js';
export { createLedgerVerbs } from './verbs/ledger-verbs.js';
export type {
  AttemptView, CancelAnswer, DeadLetter, DeadLetterDetail, DeadLetterFilter, LedgerVerbs, Page, Redrive, RedriveAnswer, Replay, ReplayAnswer, RunDetail, RunFilter, RunSummary, SettleAnswer, StepView,
} from './verbs/verbs.js';
export { IntegrationNotFound, ReplayRefused, RunChanged, StepNotAsked } from './errors.js';
export type { CountedStates } from './state-counts.js';
export { StateCounts } from './state-counts.js';
