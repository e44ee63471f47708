import { defineError } from '@trunkline/contracts';

export const EventsAllRefused = defineError('event.all_refused', { class: 'data', http: 400, title: 'No event of the batch is valid', fix: 'The list `refused` says for each index what is wrong.' });
