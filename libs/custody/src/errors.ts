import { defineError } from '@trunkline/contracts';

export const StillWritten = defineError('custody.still_written', {
  class: 'transient',
  http: 503,
  title: 'Rows are still written for an organisation that leaves',
  fix: 'Its credentials can be opened by nobody. See what still writes for it (a service of an older version, a script with the database login), end that, and run the same command again: it goes on where it was.',
});

export const OrganisationUnknown = defineError('custody.organisation_unknown', {
  class: 'data',
  http: 404,
  title: 'There is no such organisation',
  fix: 'Check the id: there is no organisation of that id, none left in the last 8 days, and no row of one was found.',
});
