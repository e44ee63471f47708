import { type PermissionName, permissionNames, permissionsOfKind } from './permission.js';

export const roles = ['owner', 'admin', 'data_ops', 'planner', 'staff', 'viewer'] as const;
export type Role = (typeof roles)[number];

const reading = permissionsOfKind('read');

/** What each role may do. Nobody inherits: a row says all of it. */
export const permissionsOfRole: Readonly<Record<Role, ReadonlySet<PermissionName>>> = {
  owner: new Set(permissionNames),
  admin: new Set(permissionNames.filter((name) => name !== 'owners:manage')),
  // Runs and repairs what others configured.
  data_ops: new Set<PermissionName>([...reading, ...permissionsOfKind('execute')]),
  planner: new Set(reading),
  staff: new Set(reading),
  viewer: new Set(reading),
};

export function isRole(name: string): name is Role {
  return roles.some((role) => role === name);
}
