import type { ActionFacts } from '@trunkline/chain';
import type { Provider } from './provider.js';
import { boundsOf, searchOf } from './repeat.js';

/** What the ledger needs to know of an action today. */
export function factsOf(provider: Provider, actionName: string, settings: Readonly<Record<string, unknown>> = {}): ActionFacts | undefined {
  if (!Object.hasOwn(provider.actions, actionName)) return undefined;
  const repeat = provider.actions[actionName]?.write.repeat;
  if (repeat === undefined) return undefined;
  const search = searchOf(repeat);
  return {
    family: provider.family,
    repeat: repeat.method,
    ...(repeat.method === 'key' ? { keyTtlMs: repeat.ttlMs } : {}),
    ...(search === undefined ? {} : { search: boundsOf(search, settings) }),
  };
}
