import type { ProviderFamily } from '@trunkline/contracts';
import { type Auth, signInSetting } from './auth.js';
import type { CallTemplate } from './call-template.js';
import type { WriteCall } from './call.js';
import type { ErrorRule } from './error-rules.js';
import { choice, type FormField } from './form.js';
import type { Limit, LimitHeaders } from './limit.js';
import type { Preparation } from './preparation.js';

/** A provider, as data. Functions appear only where data ends. */
export interface Provider {
  readonly id: string;
  readonly name: string;
  readonly family: ProviderFamily | 'fixture';
  /** What grounds this definition: vendor page, client library, date. */
  readonly source: string;
  /** Templates over the settings; the first that has all its values. */
  readonly baseUrl: readonly string[];
  readonly auth: Auth;
  readonly settings: readonly FormField[];
  readonly credentials: readonly FormField[];
  readonly limits: readonly Limit[];
  readonly limitHeaders?: LimitHeaders;
  /** Response header with the provider's id of the request. */
  readonly requestIdHeader?: string;
  /** Paths in an error body, tried in order. */
  readonly errorBody: { readonly code: readonly string[]; readonly message: readonly string[] };
  readonly errors: readonly ErrorRule[];
  /** P4: statuses that prove that nothing was written, and who says so. Only these let a `search-first` or `never` write be sent again. */
  readonly nothingWritten: { readonly statuses: readonly number[]; readonly source: string };
  /** A 2xx that says no in its body. */
  readonly failsInBody?: BodyFailure;
  /** Cheap calls that show that address, credentials and rights are right. */
  readonly check: readonly Check[];
  readonly actions: Readonly<Record<string, Action>>;
}

export interface BodyFailure {
  /** A list in the body; an item whose `field` equals `value` is a refusal. */
  readonly list: string;
  readonly field: string;
  readonly value: string;
  readonly code: string;
  readonly message: string;
  readonly source: string;
}

export interface Check {
  /** What it shows, in words for the person who sees it. */
  readonly shows: string;
  readonly call: CallTemplate;
  /** Why the answer is not good enough, or null; for what a status cannot say. */
  readonly problem?: (body: unknown, settings: Readonly<Record<string, unknown>>) => string | null;
}

export interface Action {
  readonly title: string;
  readonly summary: string;
  readonly input: readonly InputField[];
  readonly prepare?: readonly Preparation[];
  readonly write: WriteCall;
}

export interface InputField {
  readonly name: string;
  readonly label: string;
  readonly required: boolean;
}

export const required = (name: string, label: string): InputField => ({ name, label, required: true });
export const optional = (name: string, label: string): InputField => ({ name, label, required: false });

/** Checks what the types cannot say, when the module loads. */
export function defineProvider(provider: Provider): Provider {
  for (const [name, action] of Object.entries(provider.actions)) {
    const { write } = action;
    if (!Object.hasOwn(write.result, write.externalId)) throw new Error(`${provider.id}.${name}: externalId ${write.externalId} is no field of its result`);
    const search = write.repeat.method === 'search-first' || write.repeat.method === 'key' ? write.repeat.search : undefined;
    const missing = search === undefined ? [] : Object.keys(write.result).filter((field) => !Object.hasOwn(search.result, field));
    if (missing.length > 0) throw new Error(`${provider.id}.${name}: the search must give the result fields ${missing.join(', ')} too`);
  }
  return { ...provider, settings: [...provider.settings, ...signInFields(provider)] };
}

function signInFields({ auth }: Provider): readonly FormField[] {
  if (auth.kind === 'none' || auth.authorizationCode === null || !auth.clientCredentials) return [];
  return [choice(signInSetting, 'How Trunkline gets in', ['client_credentials', 'authorization_code'], { help: 'As the application itself, or in the name of a person who signs in at the provider; connecting chooses the second.', default: 'client_credentials' })];
}
