import type { GrantStanding } from '@trunkline/grants';

/** What the trail keeps of a connection: never a token. */
export function standingView({ state, reason, connectedBy }: GrantStanding): Record<string, unknown> {
  return { authorization: { state, reason, connected_by: connectedBy } };
}
