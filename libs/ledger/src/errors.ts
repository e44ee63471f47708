import { defineError } from '@trunkline/contracts';

export const StepNotAsked = defineError('run.step_not_asked', { class: 'conflict', http: 409, title: 'Nobody has to answer for this step', fix: 'Only a step that is unknown, or parked as unknown or ambiguous, can be settled by a person.' });
export const RunChanged = defineError('run.changed', { class: 'conflict', http: 409, title: 'The run changed meanwhile', fix: 'Repeat the request; it is decided again on the run as it stands then.' });
export const RunsContended = defineError('ledger.runs_contended', { class: 'unavailable', http: 503, title: 'Runs kept changing while they were decided', fix: 'Nothing: the same records are worked in again by themselves.' });
export const ClocksApart = defineError('ledger.clocks_apart', { class: 'unavailable', http: 500, title: 'The clocks of broker and database are far apart', fix: 'Synchronise both with NTP: which chain version applies to an event is decided between them.' });
export const ReplayRefused = defineError('run.replay_refused', { class: 'conflict', http: 409, title: 'The run cannot be replayed like this', fix: 'Replay without from_step, or from a step whose earlier steps are done.' });
export const RunExpired = defineError('run.expired', { class: 'conflict', http: 409, title: 'The plan keeps the contents of this run no longer', fix: 'Publish the event again under another id; GET /api/organisation says how long contents are kept.' });
export const ResultWithoutRun = defineError('result.run_unknown', { class: 'data', http: 422, title: 'The result belongs to no run or command that is known', fix: 'The run may have been purged by retention; nothing needs to be done unless this repeats.' });
export const RecordFailed = defineError('ledger.record_failed', { class: 'bug', http: 500, title: 'The record could not be worked into the ledger', fix: 'Look at the message; after the cause is repaired, redrive the record.' });
export const IntegrationNotFound = defineError('ledger.integration_not_found', { class: 'not-found', http: 404, title: 'There is no such integration', fix: 'GET /api/integrations/org/{org_id} lists the integrations.' });
export const FilterInvalid = defineError('ledger.filter_invalid', { class: 'usage', http: 400, title: 'The filter cannot be used', fix: 'Compare the parameters with the API page.' });
