import { decodeEvent, decodeResult, ResultUnreadable, runIdOf, TrunklineError } from '@trunkline/contracts';
import type { StoredRecord } from '@trunkline/event-log';
import type { LedgerClock } from '../clock.js';
import { RecordFailed } from '../errors.js';
import type { Item } from '../flush/item.js';
import { isUuid, letterOfRecord, operatorsOnly } from '../flush/letter.js';

/** What a record of the log is to the ledger; one that cannot be read becomes a letter with its bytes as they are. */
export function itemOf(record: StoredRecord, clock: LedgerClock): Item {
  try {
    if (record.topic.startsWith('events.')) return eventItem(record, clock);
    if (record.topic === 'results') return resultItem(record);
    return letterItem(originOf(record), 'bug', headerOf(record, 'x-dlq-code') ?? 'record.dead_lettered', headerOf(record, 'x-dlq-reason') ?? 'no reason was given');
  } catch (error) {
    const known = error instanceof TrunklineError ? error : RecordFailed.from(error, String(error));
    return letterItem(record, known.definition.class, known.code, known.detail);
  }
}

function eventItem(record: StoredRecord, clock: LedgerClock): Item {
  const event = decodeEvent(record);
  const first = event.firstAppendedAtMs;
  const acceptedAtMs = Math.floor(first !== null && Number.isFinite(first) ? first : record.appendedAtMs);
  return { kind: 'event', organisationId: event.organisationId, runId: runIdOf(event.organisationId, event.source, event.id), record, event, acceptedAtMs, appendedAtMs: clock.fromLogMs(acceptedAtMs) };
}

function resultItem(record: StoredRecord): Item {
  const result = decodeResult(record.value);
  if (!isUuid(result.organisationId) || !isUuid(result.runId)) throw ResultUnreadable.because('organisation or run is not a UUID');
  return { kind: 'result', organisationId: result.organisationId, runId: result.runId, record, result };
}

function letterItem(record: StoredRecord, errorClass: Parameters<typeof letterOfRecord>[1]['class'], code: string, message: string): Item {
  const named = headerOf(record, 'ce_organisationid') ?? headerOf(record, 'tl_organisation') ?? '';
  const organisationId = isUuid(named) ? named.toLowerCase() : operatorsOnly;
  return { kind: 'letter', organisationId, runId: null, letter: letterOfRecord(record, { organisationId, class: errorClass, code, message }) };
}

/** The record as it stood where its consumer met it: a redrive goes there, and a second copy on `dead-letters` is the same letter. */
function originOf(record: StoredRecord): StoredRecord {
  const [topic, partition, offset, appendedAtMs] = ['x-dlq-topic', 'x-dlq-partition', 'x-dlq-offset', 'x-dlq-appended-at'].map((name) => headerOf(record, name) ?? '');
  if (!topic || !/^\d{1,9}$/.test(partition ?? '') || !/^\d{1,18}$/.test(offset ?? '')) return record;
  const isTimed = /^\d{1,15}(?:\.\d+)?$/.test(appendedAtMs ?? '');
  return { ...record, topic, partition: Number(partition), offset: BigInt(offset ?? 0), appendedAtMs: isTimed ? Number(appendedAtMs) : record.appendedAtMs };
}

/** The last of its name: what a consumer adds stands behind what the sender may have written. */
function headerOf(record: StoredRecord, name: string): string | null {
  return record.headers.findLast(([candidate]) => candidate === name)?.[1].toString('utf8') ?? null;
}
