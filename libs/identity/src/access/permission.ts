/** What an operation does to the world decides who may do it: reading shows what everybody of the organisation may see, inspecting what is not everybody's business, executing has an effect now, configuring decides about later effects. */
export type PermissionKind = 'read' | 'inspect' | 'execute' | 'configure';

interface Permission {
  readonly kind: PermissionKind;
  readonly allows: string;
}

/** One permission per effect. A route names exactly one of them; a look at something never needs, and never gives, the right to set it going. */
export const permissions = {
  'events:publish': { kind: 'execute', allows: 'publish events' },
  'event-types:read': { kind: 'read', allows: 'see the event types' },
  'runs:read': { kind: 'read', allows: 'see runs and their timelines' },
  'runs:replay': { kind: 'execute', allows: 'run an event again' },
  'runs:cancel': { kind: 'execute', allows: 'cancel a run' },
  'runs:settle': { kind: 'execute', allows: 'say how an unknown write ended' },
  'dead-letters:read': { kind: 'read', allows: 'see dead letters' },
  'dead-letters:redrive': { kind: 'execute', allows: 'send dead letters again' },
  'integrations:read': { kind: 'read', allows: 'see integrations, never their credentials' },
  'integrations:write': { kind: 'configure', allows: 'create, change and delete integrations' },
  'integrations:connect': { kind: 'configure', allows: 'connect an integration by signing in at its provider, and disconnect it' },
  'integrations:test': { kind: 'execute', allows: 'call a provider to test a connection' },
  'integrations:hold': { kind: 'execute', allows: 'pause and resume an integration' },
  'integrations:process-queue': { kind: 'execute', allows: 'make waiting work due now' },
  'integrations:send': { kind: 'execute', allows: 'send data to a provider now' },
  'integrations:import': { kind: 'execute', allows: 'import from a provider' },
  'chains:read': { kind: 'read', allows: 'see and check chains' },
  'chains:write': { kind: 'configure', allows: 'save a chain as a new version' },
  'topics:read': { kind: 'inspect', allows: 'see the figures of the whole platform' },
  'organisation:read': { kind: 'read', allows: 'see the organisation, its plan and its limits' },
  'people:read': { kind: 'inspect', allows: 'see members and invitations' },
  'people:manage': { kind: 'configure', allows: 'invite, change and remove members' },
  'keys:read': { kind: 'inspect', allows: 'see API keys, never the keys themselves' },
  'keys:manage': { kind: 'configure', allows: 'create, rotate and revoke API keys' },
  'audit:read': { kind: 'inspect', allows: 'see who did what' },
  'owners:manage': { kind: 'configure', allows: 'make and unmake owners' },
} as const satisfies Readonly<Record<string, Permission>>;

export type PermissionName = keyof typeof permissions;

export const permissionNames = Object.keys(permissions) as readonly PermissionName[];

export function isPermission(name: string): name is PermissionName {
  return Object.hasOwn(permissions, name);
}

/** Whether using it changes anything, here or at a provider. */
export function isEffect(name: PermissionName): boolean {
  const kind: PermissionKind = permissions[name].kind;
  return kind === 'execute' || kind === 'configure';
}

export function permissionsOfKind(kind: PermissionKind): readonly PermissionName[] {
  return permissionNames.filter((name) => permissions[name].kind === kind);
}
