import { defineError } from '@trunkline/contracts';

export const PublicUrlMissing = defineError('oauth.public_url_missing', { class: 'usage', http: 409, title: 'The gateway does not know where browsers reach it', fix: 'Set PUBLIC_URL to the https address of the gateway, and enter <PUBLIC_URL>/oauth/callback/<provider> at the provider.' });
