/** Every topic Trunkline uses. Topics are created from this list and the AsyncAPI document is generated from it. */
export interface Topic {
  readonly name: string;
  readonly partitions: number;
  readonly retentionMs: number;
  /** What the key is made of. */
  readonly key: string;
  readonly carries: 'event' | 'command' | 'result' | 'dead-letter' | 'config-change';
  readonly summary: string;
}

const day = 24 * 60 * 60 * 1000;

export const builtInEventTypes = ['conversation_ended', 'contact_request', 'escalation', 'kb_sync', 'low_score'] as const;
export type BuiltInEventType = (typeof builtInEventTypes)[number];

export const providerFamilies = ['contact-centre', 'crm', 'erp'] as const;
export type ProviderFamily = (typeof providerFamilies)[number];

export const eventTopics = [...builtInEventTypes.map((type) => `events.${type}`), 'events.custom'] as const;

/** The topic an event of this type travels on; `ce_type` tells custom types apart. */
export function eventTopicOf(type: string): string {
  return (builtInEventTypes as readonly string[]).includes(type) ? `events.${type}` : 'events.custom';
}

export function commandTopicOf(family: string): string {
  return `commands.${family}`;
}

export const resultsTopic = 'results';
export const deadLettersTopic = 'dead-letters';
export const configChangesTopic = 'config.changes';

export const topics: readonly Topic[] = [
  ...eventTopics.map((name): Topic => ({ name, partitions: 6, retentionMs: 7 * day, key: 'organisation + subject, or run id without a subject', carries: 'event', summary: `Accepted ${name === 'events.custom' ? 'events of types the organisation defined' : `${name.slice(7)} events`}.` })),
  ...providerFamilies.map((family): Topic => ({ name: commandTopicOf(family), partitions: 6, retentionMs: 7 * day, key: 'integration', carries: 'command', summary: `Commands for the ${family} worker.` })),
  { name: resultsTopic, partitions: 6, retentionMs: 7 * day, key: 'run id', carries: 'result', summary: 'What each command came to.' },
  { name: deadLettersTopic, partitions: 1, retentionMs: 7 * day, key: 'as it was', carries: 'dead-letter', summary: 'Records nobody could process, with their original bytes and headers.' },
  { name: configChangesTopic, partitions: 1, retentionMs: 7 * day, key: 'organisation', carries: 'config-change', summary: 'An integration, credential or chain has changed; the ledger reads it again. Connector workers notice within 5 s by themselves.' },
];
