import type { RecordHeader } from './header.js';

export const configChangeSchemaVersion = 1;

/** Something an organisation configured has changed; caches drop what they hold of it. A hint: whoever misses one finds out when his copy grows old. */
export interface ConfigChange {
  readonly schema: number;
  readonly organisationId: string;
  readonly kind: 'integration' | 'chain';
  /** The integration's id, or the event type. */
  readonly id: string;
}

export function encodeConfigChange(change: ConfigChange): { key: Buffer; value: Buffer; headers: RecordHeader[] } {
  return { key: Buffer.from(change.organisationId), value: Buffer.from(JSON.stringify(change)), headers: [['tl_schema', Buffer.from(String(change.schema))]] };
}

/** Null for what cannot be read: a hint that is lost costs a little time only. */
export function decodeConfigChange(value: Buffer | null): ConfigChange | null {
  if (value === null) return null;
  try {
    const change = JSON.parse(value.toString('utf8')) as Partial<ConfigChange> | null;
    const isReadable = change !== null && typeof change.organisationId === 'string' && typeof change.id === 'string' && (change.kind === 'integration' || change.kind === 'chain');
    return isReadable ? (change as ConfigChange) : null;
  } catch {
    return null;
  }
}
