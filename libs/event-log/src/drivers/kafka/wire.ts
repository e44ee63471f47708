/** Records to kafkajs's messages and back, byte for byte. */
import type { IHeaders, KafkaMessage, Message } from 'kafkajs';
import type { Header, LogRecord, StoredRecord } from '../../port.js';
import type { WireHeader } from './kafkajs-patches.js';

export function toMessage(record: LogRecord, partition: number): Message {
  return { key: record.key, value: record.value, headers: toWireHeaders(record.headers), partition };
}

export function fromMessage(topic: string, partition: number, message: KafkaMessage): StoredRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    appendedAtMs: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: fromWireHeaders(message.headers),
  };
}

/**
 * kafkajs takes an object, which cannot hold the order of repeated or numeric names. But a value that is an array it turns into headers with that array's own `map`:
 * one such array answers with the whole list.
 */
function toWireHeaders(headers: readonly Header[]): IHeaders {
  if (headers.length === 0) return {};
  const list = headers.map(([key, value]) => ({ key, value }));
  return { list: Object.defineProperty<Buffer[]>([], 'map', { value: () => list }) };
}

/** The patched decoder hands over a list of names and values. */
function fromWireHeaders(headers: unknown): readonly Header[] {
  if (!Array.isArray(headers)) return [];
  return headers.map(({ key, value }: WireHeader): Header => [key, value ?? Buffer.alloc(0)]);
}
