import type { PermissionName } from './permission.js';

/** Who does something, as the credential says; never as a header or a body says. Whatever has an effect is done by one. */
export type Actor = KeyActor | UserActor;

export interface KeyActor extends ActorFacts {
  readonly kind: 'key';
  readonly keyId: string;
}

export interface UserActor extends ActorFacts {
  readonly kind: 'user';
  readonly userId: string;
  readonly sessionId: string;
}

interface ActorFacts {
  readonly organisationId: string;
  /** Where the request came from. */
  readonly address: string;
  readonly permissions: ReadonlySet<PermissionName>;
}

/** `key:<id>` or `user:<id>`: how rows name who did it. */
export function actorName(actor: Actor): string {
  return actor.kind === 'key' ? `key:${actor.keyId}` : `user:${actor.userId}`;
}

/** Nobody gives away what they do not have. */
export function holdsAll(actor: Pick<Actor, 'permissions'>, wanted: ReadonlySet<PermissionName>): boolean {
  return [...wanted].every((permission) => actor.permissions.has(permission));
}
