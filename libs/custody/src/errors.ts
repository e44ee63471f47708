import { defineError } from '@trunkline/contracts';

export const OrganisationUnknown = defineError('custody.organisation_unknown', {
  class: 'data',
  http: 404,
  title: 'There is no such organisation',
  fix: 'Check the id. After an offboarding that ended with its report, nothing of the organisation is left to name.',
});
