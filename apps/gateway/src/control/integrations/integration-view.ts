import type { ProviderTemplate } from '@trunkline/connectors';
import type { GrantView } from '@trunkline/grants';
import type { Integration } from '@trunkline/storage';

/** What stands where a secret is; sent back, it means "as it was". */
export const mask = '********';

export function integrationView(integration: Integration, template: ProviderTemplate | undefined, grant?: GrantView): Record<string, unknown> {
  const isSecret = new Set((template?.settings ?? []).filter((field) => field.secret).map((field) => field.name));
  return {
    id: integration.id,
    provider: integration.provider,
    provider_name: template?.name ?? integration.provider,
    family: template?.family ?? null,
    name: integration.name,
    settings: Object.fromEntries(Object.entries(integration.settings).map(([name, value]) => [name, isSecret.has(name) ? mask : value])),
    credentials: integration.credentials === null ? null : Object.fromEntries((template?.credentials ?? []).map((field) => [field.name, mask])),
    authorization: grant === undefined ? null : { state: grant.state, reason: grant.reason, connected_by: grant.connectedBy, connected_at: grant.connectedAt.toISOString(), refreshed_at: grant.refreshedAt.toISOString(), expires_at: grant.expiresAt?.toISOString() ?? null },
    paused: integration.paused,
    version: integration.version,
    created_at: integration.createdAt.toISOString(),
    updated_at: integration.updatedAt.toISOString(),
  };
}
