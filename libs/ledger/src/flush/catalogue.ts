import type { ActionFacts } from '@trunkline/chain';
import type { CallWindow } from '../gate/gate.js';

/** What the providers' definitions say of an action today; undefined: it does not exist (any more). */
export interface ActionCatalogue {
  find(provider: string, action: string, settings?: Readonly<Record<string, unknown>>): ActionFacts | undefined;
  /** The windows that limit an integration's calls. The workers keep to them; here they only say how many commands are worth sending at once. */
  windowsOf?(provider: string, settings: Readonly<Record<string, unknown>>): readonly CallWindow[];
}
