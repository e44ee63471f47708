import { defineError } from '@trunkline/contracts';

export const FailpointInvalid = defineError('failpoint.invalid', {
  class: 'usage',
  http: 500,
  title: 'TRUNKLINE_FAILPOINT cannot be used',
  fix: 'Unset it; it is for tests of crashes. Written as `name` or `name:nth` it kills this process when the point of that name is reached for the nth time. Where NODE_ENV is production it needs TRUNKLINE_FAILPOINT_IN_PRODUCTION=yes as well.',
});
