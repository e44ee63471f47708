import { defineError } from '@trunkline/contracts';

export const IntegrationInvalid = defineError('integration.invalid', { class: 'data', http: 422, title: 'The integration cannot be saved', fix: 'Compare settings and credentials with the fields of GET /api/integrations/templates/{provider}.' });
export const ProviderUnknown = defineError('integration.provider_unknown', { class: 'not-found', http: 404, title: 'There is no such provider', fix: 'GET /api/integrations/templates lists the providers.' });
export const IntegrationInUse = defineError('integration.in_use', { class: 'conflict', http: 409, title: 'A chain still uses the integration', fix: 'Take its steps out of the chains that the detail names, then delete it.' });
export const CredentialsBound = defineError('integration.credentials_bound', { class: 'data', http: 422, title: 'The stored credentials are not sent to another address', fix: 'Give the credentials again, all of them and unmasked, in the request that changes the address.' });
export const IntegrationNotConnected = defineError('integration.not_connected', { class: 'conflict', http: 409, title: 'The integration has no credentials yet', fix: 'PUT its credentials, then test it again.' });
