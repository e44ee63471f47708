import type { ActionFacts } from '@trunkline/chain';

/** What the providers' definitions say of an action today; undefined: it does not exist (any more). */
export interface ActionCatalogue {
  find(provider: string, action: string, settings?: Readonly<Record<string, unknown>>): ActionFacts | undefined;
}
