import type { RecordHeader } from './header.js';

export const configChangeSchemaVersion = 1;

/** Something an organisation configured has changed; the ledger drops what it holds of the organisation's integrations. A hint: whoever misses one, as the connector workers do, finds out when his copy grows old (5 s there). */
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
