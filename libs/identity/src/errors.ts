import { defineError } from '@trunkline/contracts';

/** One answer for a missing, malformed, unknown, wrong, revoked or expired key: it tells nobody which keys exist. */
export const Unauthenticated = defineError('identity.unauthenticated', {
  class: 'auth',
  http: 401,
  title: 'The API key is not accepted',
  fix: 'Send `Authorization: Bearer tl_…` with a key of this organisation that is neither revoked nor expired.',
});

/** Not 401: a caller must not throw away a good key because our database is away. */
export const IdentityUnavailable = defineError('identity.unavailable', {
  class: 'unavailable',
  http: 503,
  title: 'The API key cannot be checked just now',
  fix: 'Send the request again in a few seconds; nothing was accepted.',
});

export const ApiKeyMissing = defineError('identity.key_missing', {
  class: 'not-found',
  http: 404,
  title: 'There is no such API key',
  fix: 'List the keys of the organisation and pass the id of one of them.',
});
export const ScopeUnknown = defineError('identity.scope_unknown', { class: 'usage', http: 400, title: 'There is no such scope', fix: "Use publish, read, execute, admin, or names of permissions such as runs:replay; a key is nobody's deputy for making owners (see libs/identity/README.md)." });
export const AboveYou = defineError('identity.above_you', { class: 'auth', http: 403, title: 'What may more than you is not yours to take away', fix: 'Ask somebody whose role has the permissions that the detail names; an admin key revokes any key, an owner withdraws any invitation.' });
export const NotYours = defineError('identity.not_yours_to_give', { class: 'auth', http: 403, title: 'Nobody can give away what they may not do themselves', fix: 'Ask somebody whose role has the permissions that the detail names.' });

/** One answer for an unknown account, a wrong password and an account without one: it tells nobody who has an account (S12). */
export const SignInRefused = defineError('identity.sign_in_refused', { class: 'auth', http: 401, title: 'E-mail address and password do not belong together', fix: 'Check both; an account made with the OpenID provider has no password, and a forgotten one is replaced by the operator.' });
export const SignInThrottled = defineError('identity.sign_in_throttled', { class: 'throttled', http: 429, title: 'Too many failed sign-ins', fix: 'Wait for the seconds that Retry-After gives, then try again.' });
export const SignInBusy = defineError('identity.sign_in_busy', { class: 'unavailable', http: 503, title: 'Too many sign-ins at once', fix: 'Try again in a few seconds.' });
export const PasswordUnfit = defineError('identity.password_unfit', { class: 'usage', http: 422, title: 'The password cannot be used', fix: 'Choose one of 12 to 200 characters that is not easily guessed; a sentence is fine.' });
export const SessionMissing = defineError('identity.session_missing', { class: 'auth', http: 401, title: 'Nobody is signed in', fix: 'Sign in with POST /api/session.' });

export const SetupClosed = defineError('identity.setup_closed', { class: 'auth', http: 403, title: 'The set-up token is not accepted', fix: 'Use the token that the gateway printed when it started; once the first owner exists none is accepted any more, and owners invite others.' });
export const InvitationClosed = defineError('identity.invitation_closed', { class: 'not-found', http: 404, title: 'The invitation is not open', fix: 'It was used, withdrawn or has expired: ask for a new one.' });
export const InvitationOther = defineError('identity.invitation_other', { class: 'auth', http: 403, title: 'The invitation is for somebody else', fix: 'Sign in as the person who was invited; e-mail addresses must be the same, and confirmed by the OpenID provider.' });
export const InvitationMissing = defineError('identity.invitation_missing', { class: 'not-found', http: 404, title: 'There is no such invitation', fix: 'List the invitations of the organisation.' });
export const MemberMissing = defineError('identity.member_missing', { class: 'not-found', http: 404, title: 'There is no such member', fix: 'List the members of the organisation.' });
export const LastOwner = defineError('identity.last_owner', { class: 'conflict', http: 409, title: 'An organisation keeps at least one owner', fix: 'Make another member owner first.' });
export const OrganisationMissing = defineError('identity.organisation_missing', { class: 'not-found', http: 404, title: 'There is no such organisation', fix: 'Use the id of an organisation you belong to.' });

export const OpenIdRefused = defineError('identity.openid_refused', { class: 'auth', http: 401, title: 'The sign-in with the OpenID provider did not succeed', fix: 'Start again from the sign-in page; somebody without an account needs an invitation first.' });
export const OpenIdUnavailable = defineError('identity.openid_unavailable', { class: 'unavailable', http: 503, title: 'The OpenID provider does not answer', fix: 'Try again in a minute; look at OIDC_ISSUER if it lasts.' });

export const PlanLimitReached = defineError('plan.limit_reached', { class: 'usage', http: 402, title: 'The plan of the organisation does not include more', fix: 'Stay within the limit that the detail names, or ask for another plan.' });
export const RateLimited = defineError('request.rate_limited', { class: 'throttled', http: 429, title: 'Too many requests', fix: 'Wait for the seconds that Retry-After gives; RateLimit says how many are left.' });
