import type { Finding, StepOutcome } from '@trunkline/chain';
import { Ajv } from 'ajv';
import { defineError } from './error.js';
import type { RecordHeader } from './header.js';

export const resultSchemaVersion = 1;

/** What one command came to. Travels as JSON on `results`, keyed by run id. */
export interface StepResult {
  readonly schema: number;
  readonly organisationId: string;
  readonly runId: string;
  readonly stepId: string;
  readonly dispatch: number;
  readonly integrationId: string;
  readonly answer: { readonly kind: 'outcome'; readonly outcome: StepOutcome } | { readonly kind: 'finding'; readonly finding: Finding };
  /** Null when no call was made. */
  readonly call: ProviderCall | null;
  /** With an answer that credentials were refused: the version of the integration whose credentials they were. Workers of older versions leave it out. */
  readonly integrationVersion?: number;
  readonly worker: string;
}

/** The call as the worker saw it; no secrets, no bodies. */
export interface ProviderCall {
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly httpStatus: number | null;
  readonly providerRequestId: string | null;
  readonly method: string;
  /** Path without query. */
  readonly path: string;
}

export const ResultUnreadable = defineError('result.unreadable', {
  class: 'data',
  http: 422,
  title: 'The result record cannot be read',
  fix: 'The record is kept raw in the dead letters and its step is settled by the sweeper; nothing needs to be done unless this repeats.',
});

const validate = new Ajv({ allowUnionTypes: true }).compile({
  type: 'object',
  required: ['schema', 'organisationId', 'runId', 'stepId', 'dispatch', 'integrationId', 'answer', 'call', 'worker'],
  properties: {
    schema: { type: 'integer', minimum: 1, maximum: resultSchemaVersion },
    organisationId: { type: 'string', pattern: '^[0-9a-f-]{36}$' },
    runId: { type: 'string', pattern: '^[0-9a-f-]{36}$' },
    stepId: { type: 'string', minLength: 1 },
    dispatch: { type: 'integer', minimum: 1 },
    integrationId: { type: 'string' },
    answer: {
      type: 'object',
      required: ['kind'],
      oneOf: [
        { properties: { kind: { const: 'outcome' }, outcome: { type: 'object', required: ['kind'], properties: { kind: { enum: ['ok', 'failed', 'transient', 'throttled', 'auth', 'expired', 'unknown', 'parked'] } } } }, required: ['outcome'] },
        { properties: { kind: { const: 'finding' }, finding: { type: 'object', required: ['kind'], properties: { kind: { enum: ['found', 'none', 'several', 'failed'] } } } }, required: ['finding'] },
      ],
    },
    call: { type: ['object', 'null'] },
    integrationVersion: { type: 'integer', minimum: 1 },
    worker: { type: 'string' },
  },
});

export function encodeResult(result: StepResult): { key: Buffer; value: Buffer; headers: RecordHeader[] } {
  return { key: Buffer.from(result.runId), value: Buffer.from(JSON.stringify(result)), headers: [['tl_schema', Buffer.from(String(result.schema))]] };
}

/** Throws `result.unreadable`. */
export function decodeResult(value: Buffer | null): StepResult {
  if (value === null) throw ResultUnreadable.because('the value is null');
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString('utf8'));
  } catch (error) {
    throw ResultUnreadable.from(error, 'the value is not JSON');
  }
  if (!validate(parsed)) throw ResultUnreadable.because(`the value does not fit its schema: ${validate.errors?.[0]?.instancePath} ${validate.errors?.[0]?.message}`);
  return parsed as StepResult;
}
