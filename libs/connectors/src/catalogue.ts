import type { ActionFacts } from '@trunkline/chain';
import { factsOf } from './kit/action-facts.js';
import { formProblems, type FormField } from './kit/form.js';
import { limitsOf } from './kit/limit.js';
import type { InputField, Provider } from './kit/provider.js';
import { providers as registered } from './registry.js';

/** What the ledger, the gateway and the check of a chain may know of providers. */
export interface ActionCatalogue {
  /** Undefined: this version knows no such provider or action. `settings` of the integration may state the bounds of its search. */
  find(provider: string, action: string, settings?: Readonly<Record<string, unknown>>): ActionFacts | undefined;
  /** The windows that limit an integration's calls; none where the provider is not known. */
  windowsOf(provider: string, settings: Readonly<Record<string, unknown>>): readonly { readonly calls: number; readonly windowMs: number }[];
  inputOf(provider: string, action: string): readonly InputField[] | undefined;
  templates(): readonly ProviderTemplate[];
  /** What is wrong with an integration's values, each as `name: why`. */
  problems(provider: string, settings: Readonly<Record<string, unknown>>, credentials: Readonly<Record<string, unknown>>): readonly string[];
}

/** A ready configuration for one provider. */
export interface ProviderTemplate {
  readonly provider: string;
  readonly name: string;
  readonly family: string;
  readonly source: string;
  readonly settings: readonly FormField[];
  readonly credentials: readonly FormField[];
  /** Where a person can connect it by signing in at the provider: what is asked for, and the path to enter there; null: nobody can. */
  readonly connect: { readonly scopes: readonly string[]; readonly callback: string } | null;
  readonly actions: readonly { readonly name: string; readonly title: string; readonly summary: string; readonly repeat: string; readonly input: readonly InputField[]; readonly result: readonly string[] }[];
}

export function catalogueOf(providers: readonly Provider[]): ActionCatalogue {
  const byId = new Map(providers.map((provider) => [provider.id, provider]));
  return {
    find: (id, action, settings) => {
      const provider = byId.get(id);
      return provider === undefined ? undefined : factsOf(provider, action, settings);
    },
    windowsOf: (id, settings) => limitsOf(byId.get(id)?.limits ?? [], settings).flatMap((limit) => (limit.kind === 'window' ? [limit] : [])),
    inputOf: (id, action) => {
      const actions = byId.get(id)?.actions ?? {};
      return Object.hasOwn(actions, action) ? actions[action]?.input : undefined;
    },
    templates: () => providers.map(templateOf),
    problems: (id, settings, credentials) => {
      const provider = byId.get(id);
      return provider === undefined ? [`provider: ${id} is not known`] : [...formProblems(provider.settings, settings), ...formProblems(provider.credentials, credentials)];
    },
  };
}

export const actionCatalogue: ActionCatalogue = catalogueOf(registered);

function templateOf({ id, name, family, source, settings, credentials, auth, actions }: Provider): ProviderTemplate {
  return {
    provider: id,
    name,
    family,
    source,
    settings,
    credentials,
    connect: auth.kind === 'none' || auth.authorizationCode === null ? null : { scopes: auth.authorizationCode.scopes, callback: `/oauth/callback/${id}` },
    actions: Object.entries(actions).map(([action, { title, summary, input, write }]) => ({ name: action, title, summary, repeat: write.repeat.method, input, result: Object.keys(write.result) })),
  };
}
