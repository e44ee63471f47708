import { defineError } from '@trunkline/contracts';

export const ChainInvalid = defineError('chain.invalid', { class: 'data', http: 422, title: 'The chain cannot be saved', fix: 'The list `problems` names each step and field; POST /api/chains/{eventType}/check tries without saving.' });
export const ChainMissing = defineError('chain.missing', { class: 'not-found', http: 404, title: 'No chain is attached to this event type', fix: 'PUT /api/chains/{eventType} attaches one.' });
export const ChainSavedTooSlowly = defineError('chain.saved_too_slowly', { class: 'unavailable', http: 503, title: 'The chain could not be saved in time to be in force everywhere at once', fix: 'Nothing was saved: repeat the request after the seconds that Retry-After gives. A database that needs half a second for a commit is overloaded.' });
