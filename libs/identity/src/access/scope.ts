import { isPermission, type PermissionName, permissionNames, permissionsOfKind } from './permission.js';

/** Names for several permissions at once, so that a key need not list them. */
export const scopeGroups: Readonly<Record<string, readonly PermissionName[]>> = {
  publish: ['events:publish'],
  read: permissionsOfKind('read'),
  execute: permissionsOfKind('execute').filter((name) => name !== 'events:publish'),
  // A key is nobody's deputy for making owners.
  admin: permissionNames.filter((name) => name !== 'owners:manage'),
};

export function isScope(name: string): boolean {
  return isPermission(name) || Object.hasOwn(scopeGroups, name);
}

/** What a key with these scopes may do. A scope nobody knows, of a newer version perhaps, gives nothing. */
export function permissionsOfScopes(scopes: readonly string[]): ReadonlySet<PermissionName> {
  return new Set(scopes.flatMap((scope) => (isPermission(scope) ? [scope] : Object.hasOwn(scopeGroups, scope) ? (scopeGroups[scope] ?? []) : [])));
}
