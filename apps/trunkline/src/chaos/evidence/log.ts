import { setTimeout as wait } from 'node:timers/promises';
import { commandTopicOf, decodeCommand, decodeEvent, decodeResult, eventTopicOf, hashOf, providerFamilies, resultsTopic, runIdOf, uuidFrom } from '@trunkline/contracts';
import type { EventLog, RecordOutcome, StoredRecord } from '@trunkline/event-log';
import type { CommandEvidence, OffsetSample, RecordEvidence } from '../checker/evidence.js';
import { dispatchName, pushTo, type LedgerEvidence } from './ledger.js';

const eventTopic = eventTopicOf('conversation_ended');
const commandTopics = providerFamilies.map(commandTopicOf);
const groups = ['ledger', ...providerFamilies.map((family) => `worker-${family}`)];
/** From the beginning of a call it may be handed over to a row, which is gone when its answer has come; the call itself begins a token later. */
const callMayFollowMs = 5_000;

export interface LogEvidence {
  readonly commands: ReadonlyMap<string, readonly CommandEvidence[]>;
  readonly records: readonly RecordEvidence[];
}

/** Reads how far every group says it is. What cannot be asked just then is left out. */
export async function sampleOffsets(log: EventLog, take: (sample: OffsetSample) => void): Promise<void> {
  await Promise.all(groups.map(async (group) => {
    const lags = await log.lag(group).catch(() => []);
    // Whole milliseconds: the time asked about must not lie before the answer.
    const atMs = Date.now() + 1;
    for (const { topic, partition, committed } of lags) if (committed > 0n) take({ atMs, group, topic, partition, committed: Number(committed) });
  }));
}

interface Seen {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly runId: string;
  readonly what: string;
  /** Events are settled by their run, results by their attempt, commands by what stands for their dispatch. */
  readonly by: 'run' | 'attempt' | 'dispatch';
}

/** Every record of events, commands and results, read as one more group, when nothing moves any more. */
export async function readLog(log: EventLog, ledger: LedgerEvidence, onProgress: (records: number) => void): Promise<LogEvidence> {
  const seen: Seen[] = [];
  const commands = new Map<string, CommandEvidence[]>();
  const answered = new Map<string, number>();
  const consumption = await log.consume({
    group: 'chaos-checker',
    topics: [eventTopic, ...commandTopics, resultsTopic],
    mode: 'batch',
    maxRecords: 2_000,
    handleBatch: (records) => Promise.resolve(records.map((record): RecordOutcome => {
      note(record, seen, commands, answered);
      return { kind: 'done' };
    })),
  });
  const begunMs = performance.now();
  for (let quiet = 0, before = -1; quiet < 3; await wait(700)) {
    const lags = await log.lag('chaos-checker').catch(() => []);
    const isRead = lags.length > 0 && lags.every(({ lag }) => lag === 0n) && seen.length > 0;
    quiet = isRead && before === seen.length ? quiet + 1 : 0;
    before = seen.length;
    onProgress(before);
    if (performance.now() - begunMs > 1_800_000) throw new Error('reading the log took longer than half an hour');
  }
  await consumption.stop(5_000);
  return { commands, records: seen.map((record) => ({ ...record, settledAtMs: settledAt(record, ledger, answered) })) };
}

function note(record: StoredRecord, seen: Seen[], commands: Map<string, CommandEvidence[]>, answered: Map<string, number>): void {
  const { topic, partition } = record;
  const offset = Number(record.offset);
  if (topic === eventTopic) {
    const event = decodeEvent(record);
    seen.push({ group: 'ledger', topic, partition, offset, runId: runIdOf(event.organisationId, event.source, event.id), what: event.id, by: 'run' });
    return;
  }
  if (topic === resultsTopic) {
    const { runId, stepId, dispatch } = decodeResult(record.value);
    const name = dispatchName(runId, stepId, dispatch);
    if (!answered.has(name)) answered.set(name, record.appendedAtMs);
    seen.push({ group: 'ledger', topic, partition, offset, runId, what: uuidFrom(hashOf('attempt', topic, String(partition), String(record.offset))), by: 'attempt' });
    return;
  }
  const { kind, runId, stepId, dispatch, integrationId, firstDispatchedAtMs: firstAdmittedAtMs } = decodeCommand(record);
  pushTo(commands, runId, { kind, stepId, dispatch, integrationId, firstAdmittedAtMs, appendedAtMs: record.appendedAtMs });
  // A look-up changes nothing and is asked for again: its record may be passed at any time.
  if (kind === 'execute') seen.push({ group: `worker-${topic.slice('commands.'.length)}`, topic, partition, offset, runId, what: dispatchName(runId, stepId, dispatch), by: 'dispatch' });
}

function settledAt({ by, runId, what }: Seen, ledger: LedgerEvidence, answered: ReadonlyMap<string, number>): number | null {
  if (by === 'run') return ledger.runs.get(runId)?.plannedAtMs ?? null;
  if (by === 'attempt') return ledger.attemptCommits.get(what) ?? null;
  const [run = '', stepId, dispatch] = what.split(' ');
  const called = (ledger.attempts.get(run) ?? []).filter((attempt) => attempt.stepId === stepId && String(attempt.dispatch) === dispatch && attempt.startedAtMs !== null);
  const times = [ledger.standing.get(what), answered.get(what), ...called.map(({ startedAtMs }) => (startedAtMs ?? 0) - callMayFollowMs)].filter((time) => time !== undefined);
  return times.length === 0 ? null : Math.min(...times);
}
