import type { Provider } from './provider.js';
import { baseAddress } from './request.js';
import { SettingsIncomplete } from './errors.js';
import { withDefaults } from './form.js';

/** Scheme, host and port that each kind of call goes to by these settings, in a fixed order; null: they do not say. */
export function originsOf({ auth, baseUrl, settings: fields }: Pick<Provider, 'auth' | 'baseUrl' | 'settings'>, settings: Readonly<Record<string, unknown>>): readonly (string | null)[] {
  const scope = { settings: withDefaults(fields, settings) };
  const api = baseUrl.filter((template) => !template.includes('{granted.'));
  const ofPeople = auth.kind === 'none' ? null : auth.authorizationCode;
  const signIn = auth.kind === 'none' ? [] : [auth.token, ofPeople?.authorize ?? [], ofPeople?.revoke ?? []];
  return [api, ...signIn].map((templates) => (templates.length === 0 ? null : originIn(templates, scope)));
}

function originIn(templates: readonly string[], scope: Parameters<typeof baseAddress>[1]): string | null {
  try {
    return baseAddress(templates, scope).origin;
  } catch (error) {
    if (SettingsIncomplete.matches(error)) return null;
    throw error;
  }
}
