import { defineError } from '@trunkline/contracts';

export const OrganisationUnknown = defineError('custody.organisation_unknown', {
  class: 'data',
  http: 404,
  title: 'There is no such organisation',
  fix: 'Check the id: there is no organisation of that id, none left in the last 8 days, and no row of one was found.',
});
