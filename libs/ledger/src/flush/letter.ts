import { hashOf, uuidFrom, type ErrorClass } from '@trunkline/contracts';
import type { Header, StoredRecord } from '@trunkline/event-log';

/** Stands for "no organisation" in tables whose keys contain one: letters that only operators see. */
export const operatorsOnly = '00000000-0000-0000-0000-000000000000';

/** A dead letter as it is written: ids and bytes, nothing of it parsed (delivery §9). */
export interface LetterRow {
  readonly organisationId: string;
  readonly id: string;
  readonly class: ErrorClass;
  readonly code: string;
  readonly message: string;
  readonly runId: string | null;
  readonly stepId: string | null;
  readonly integrationId: string | null;
  readonly record: LetterRecord | null;
}

export interface LetterRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly appendedAtMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
}

/** A header by which a redriven record finds the letter it came from. */
export const letterIdHeader = 'tl_dead_letter';
export const firstAppendedHeader = 'tl_first_appended';

interface Trouble {
  readonly organisationId: string;
  readonly class: ErrorClass;
  readonly code: string;
  readonly message: string;
  readonly runId?: string | null;
}

/** The same record always gets the same letter, so a repeated flush writes it once. */
export function letterOfRecord(record: StoredRecord, trouble: Trouble): LetterRow {
  const known = record.headers.find(([name]) => name === letterIdHeader)?.[1].toString('latin1') ?? '';
  const id = isUuid(known) ? known : uuidFrom(hashOf('dead-letter', record.topic, String(record.partition), String(record.offset)));
  return { id, runId: null, ...trouble, stepId: null, integrationId: null, record };
}

export function letterOfStep(step: { readonly organisationId: string; readonly runId: string; readonly stepId: string; readonly integrationId: string | null }, trouble: { readonly class: ErrorClass; readonly code: string; readonly message: string }): LetterRow {
  return { ...step, ...trouble, id: letterIdOfStep(step.organisationId, step.runId, step.stepId), record: null };
}

export function letterIdOfStep(organisationId: string, runId: string, stepId: string): string {
  return uuidFrom(hashOf('dead-step', organisationId, runId, stepId));
}

/** Names, values and order of headers as bytes: count, then per header two lengths and two byte strings. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  const parts = headers.flatMap(([name, value]) => [Buffer.from(name), value]);
  const lengths = Buffer.alloc(4 + parts.length * 4);
  lengths.writeUInt32BE(headers.length);
  parts.forEach((part, index) => lengths.writeUInt32BE(part.length, 4 + index * 4));
  return Buffer.concat([lengths, ...parts]);
}

export function decodeHeaders(bytes: Buffer): Header[] {
  const count = bytes.readUInt32BE(0);
  let at = 4 + count * 8;
  const take = (index: number): Buffer => {
    const length = bytes.readUInt32BE(4 + index * 4);
    at += length;
    return bytes.subarray(at - length, at);
  };
  return Array.from({ length: count }, (_, index): Header => {
    const name = take(index * 2).toString();
    return [name, take(index * 2 + 1)];
  });
}

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
