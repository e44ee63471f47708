import { isPermission, type PermissionName, permissionNames, permissionsOfKind } from './permission.js';

/** A key is nobody's deputy for making owners. */
function isForKeys(name: PermissionName): boolean {
  return name !== 'owners:manage';
}

/** Names for several permissions at once, so that a key need not list them. */
export const scopeGroups: Readonly<Record<string, readonly PermissionName[]>> = {
  publish: ['events:publish'],
  read: permissionsOfKind('read'),
  execute: permissionsOfKind('execute').filter((name) => name !== 'events:publish'),
  admin: permissionNames.filter(isForKeys),
};

export function isScope(name: string): boolean {
  return (isPermission(name) && isForKeys(name)) || Object.hasOwn(scopeGroups, name);
}

/** What a key with these scopes may do. A scope nobody knows, of a newer version perhaps, gives nothing. */
export function permissionsOfScopes(scopes: readonly string[]): ReadonlySet<PermissionName> {
  return new Set(scopes.flatMap((scope) => (isPermission(scope) ? [scope].filter(isForKeys) : Object.hasOwn(scopeGroups, scope) ? (scopeGroups[scope] ?? []) : [])));
}
