import type { PermissionName } from '@trunkline/identity';

/** The permission an operation asks for; or `signed-in`: of whoever is signed in, about themselves; or `nobody`: open to all. */
export type Need = PermissionName | 'signed-in' | 'nobody';

export const needsKey = 'trunkline:needs';
