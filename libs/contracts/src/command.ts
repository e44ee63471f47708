import { defineError } from './error.js';
import { headerReader, type RecordHeader } from './header.js';

export const commandSchemaVersion = 1;

/**
 * What the ledger asks a worker to do. The envelope travels in headers, the mapped input is the record's value, so that no hop parses what it does not need.
 * `execute` performs the action; `settle` looks up whether an earlier dispatch of it has had its effect.
 */
export interface Command {
  readonly kind: 'execute' | 'settle';
  readonly organisationId: string;
  readonly runId: string;
  readonly stepId: string;
  /** New for each command of a step; a settle names the dispatch it asks about. */
  readonly dispatch: number;
  /** hash(organisation, root run and its accepted time, step id, action): the same for every attempt, redrive and replay (delivery §5). 32 hex digits. */
  readonly effectKey: string;
  readonly integrationId: string;
  readonly provider: string;
  readonly action: string;
  /** Hash of organisation and subject; null: unordered. The worker keeps order within integration + subject. */
  readonly orderingKey: string | null;
  /** Epoch ms, database clock: past it the command is not started. */
  readonly startBeforeMs: number;
  readonly deadlineMs: number;
  /** Epoch ms of the step's first dispatch: a `key` older than half its life goes on as `search-first`. */
  readonly firstDispatchedAtMs: number;
  /** JSON text of the mapped input, the same bytes at every resend. */
  readonly input: Buffer;
  readonly traceparent: string | null;
}

export const CommandUnreadable = defineError('command.unreadable', {
  class: 'data',
  http: 422,
  title: 'The command record cannot be read',
  fix: 'Look at the record in the dead letters; a producer other than the ledger wrote to a commands topic, or an old worker reads a newer schema.',
});

/** Names of the headers a command travels with. */
const names = {
  schema: 'tl_schema', kind: 'tl_kind', organisationId: 'tl_organisation', runId: 'tl_run', stepId: 'tl_step', dispatch: 'tl_dispatch', effectKey: 'tl_effect_key',
  integrationId: 'tl_integration', provider: 'tl_provider', action: 'tl_action', orderingKey: 'tl_ordering', startBefore: 'tl_start_before', deadline: 'tl_deadline_ms',
  firstDispatchedAt: 'tl_first_dispatched', traceparent: 'traceparent',
} as const;

export function encodeCommand(command: Command): { key: Buffer; value: Buffer; headers: RecordHeader[] } {
  const text: [string, string][] = [
    [names.schema, String(commandSchemaVersion)],
    [names.kind, command.kind],
    [names.organisationId, command.organisationId],
    [names.runId, command.runId],
    [names.stepId, command.stepId],
    [names.dispatch, String(command.dispatch)],
    [names.effectKey, command.effectKey],
    [names.integrationId, command.integrationId],
    [names.provider, command.provider],
    [names.action, command.action],
    [names.startBefore, String(command.startBeforeMs)],
    [names.deadline, String(command.deadlineMs)],
    [names.firstDispatchedAt, String(command.firstDispatchedAtMs)],
  ];
  if (command.orderingKey !== null) text.push([names.orderingKey, command.orderingKey]);
  if (command.traceparent !== null) text.push([names.traceparent, command.traceparent]);
  return { key: Buffer.from(command.integrationId), value: command.input, headers: text.map(([name, value]): RecordHeader => [name, Buffer.from(value)]) };
}

/** Throws `command.unreadable` when a header is missing or of a schema this process does not know (N and N−1 are read). */
export function decodeCommand(record: { readonly value: Buffer | null; readonly headers: readonly RecordHeader[] }): Command {
  const headers = headerReader(record.headers, CommandUnreadable);
  const schema = headers.integer(names.schema);
  if (schema > commandSchemaVersion || schema < commandSchemaVersion - 1) throw CommandUnreadable.because(`schema version ${schema} is not known here`);
  const kind = headers.text(names.kind);
  if (kind !== 'execute' && kind !== 'settle') throw CommandUnreadable.because(`kind ${JSON.stringify(kind)} is not known here`);
  if (record.value === null) throw CommandUnreadable.because('the value is null');
  return {
    kind,
    organisationId: headers.text(names.organisationId),
    runId: headers.text(names.runId),
    stepId: headers.text(names.stepId),
    dispatch: headers.integer(names.dispatch),
    effectKey: headers.text(names.effectKey),
    integrationId: headers.text(names.integrationId),
    provider: headers.text(names.provider),
    action: headers.text(names.action),
    orderingKey: headers.optional(names.orderingKey),
    startBeforeMs: headers.integer(names.startBefore),
    deadlineMs: headers.integer(names.deadline),
    firstDispatchedAtMs: headers.integer(names.firstDispatchedAt),
    input: record.value,
    traceparent: headers.optional(names.traceparent),
  };
}
