import { defineError } from '@trunkline/contracts';

export const SignInUnknown = defineError('oauth.sign_in_unknown', {
  class: 'auth',
  http: 400,
  title: 'This sign-in is not one that waits here',
  fix: 'It was finished already, took longer than ten minutes, or began elsewhere. Begin again with POST /api/integrations/{id}/connect.',
});
export const SignInOfAnother = defineError('oauth.sign_in_of_another', {
  class: 'auth',
  http: 403,
  title: 'Somebody else began this sign-in',
  fix: 'Finish it in the browser, and as the person, that began it; or begin again yourself with POST /api/integrations/{id}/connect.',
});
export const SignInStale = defineError('oauth.integration_changed', {
  class: 'conflict',
  http: 409,
  title: 'The integration was changed while somebody signed in',
  fix: 'Begin again with POST /api/integrations/{id}/connect; nothing of the sign-in was kept.',
});
export const SignInRefused = defineError('oauth.refused', {
  class: 'auth',
  http: 400,
  title: 'The provider did not grant access',
  fix: 'The detail says why. Check the client id, its secret, the callback address and the scopes at the provider (SETUP.md of the provider), then begin again.',
});
export const SignInUnanswered = defineError('oauth.unanswered', {
  class: 'unavailable',
  http: 502,
  title: 'The provider did not answer as it should have',
  fix: 'Begin again with POST /api/integrations/{id}/connect; if it stays so, see the provider\'s own status page.',
});
export const InstanceForeign = defineError('oauth.foreign_instance', {
  class: 'auth',
  http: 400,
  title: 'The provider named an address that is not one of its own',
  fix: 'Nothing was stored and nothing was sent there. Check the address in the integration\'s settings; if it is right, report this to the provider.',
});
export const NobodySignsIn = defineError('oauth.not_offered', {
  class: 'usage',
  http: 409,
  title: 'Nobody can sign in at this provider',
  fix: 'The integration connects by the credentials in its form: PUT /api/integrations/{id}.',
});
export const GrantMissing = defineError('oauth.not_connected', { class: 'conflict', http: 409, title: 'Nobody has signed in for this integration', fix: 'Begin with POST /api/integrations/{id}/connect.' });
