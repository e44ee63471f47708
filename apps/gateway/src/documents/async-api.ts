import {
  builtInEventSchemas, commandSchemaVersion, configChangeSchemaVersion, encodeCommand, encodeConfigChange, encodeEvent, encodeResult, eventSchemaVersion, isBuiltInEventType, resultSchemaVersion, topics, type AcceptedEvent, type Command, type StepResult, type Topic,
} from '@trunkline/contracts';
import { deadLetterHeaders } from '@trunkline/event-log';

type Document = Readonly<Record<string, unknown>>;

/** AsyncAPI 3.0 of the event log, made from the topic registry and the contracts: a topic or header nobody described makes this throw. */
export function asyncApiDocument(): Document {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Trunkline event log',
      version: '1',
      description: 'Topics of the platform, on Kafka and on PostgreSQL alike. Keys, values and headers are bytes; events follow the CloudEvents 1.0.2 Kafka binding, binary mode. Tenants publish over HTTP only; a direct producer is the operator\'s own, under ACL, and names the organisation in ce_organisationid.',
    },
    defaultContentType: 'application/json',
    servers: { kafka: { host: '{brokers}', protocol: 'kafka', description: 'The brokers named by KAFKA_BROKERS.', variables: { brokers: { default: 'localhost:9092' } } } },
    channels: Object.fromEntries(topics.map((topic) => [topic.name, channelOf(topic)])),
    operations: Object.fromEntries(topics.flatMap(operationsOf)),
    components: { messages: messages() },
  };
}

function channelOf(topic: Topic): Document {
  return {
    address: topic.name,
    description: topic.summary,
    messages: Object.fromEntries(messageNamesOf(topic).map((name) => [name, { $ref: `#/components/messages/${name}` }])),
    bindings: { kafka: { partitions: topic.partitions, topicConfiguration: { 'retention.ms': topic.retentionMs, 'cleanup.policy': ['delete'] }, bindingVersion: '0.5.0' } },
  };
}

function messageNamesOf({ name, carries }: Topic): readonly string[] {
  return carries === 'event' ? [name.slice('events.'.length)] : [carries];
}

const flows: Readonly<Record<Topic['carries'], { readonly from: string; readonly to: string }>> = {
  event: { from: 'gateway', to: 'sync-ledger' },
  command: { from: 'sync-ledger', to: 'connector' },
  result: { from: 'connector', to: 'sync-ledger' },
  'dead-letter': { from: 'any', to: 'sync-ledger' },
  'config-change': { from: 'gateway', to: 'sync-ledger' },
};

function operationsOf(topic: Topic): readonly (readonly [string, Document])[] {
  const { from, to } = flows[topic.carries];
  const channel = { $ref: `#/channels/${topic.name}` };
  return [
    [`${from} sends ${topic.name}`, { action: 'send', channel, summary: `${from} appends to ${topic.name}.` }],
    [`${to} receives ${topic.name}`, { action: 'receive', channel, summary: `${to} reads ${topic.name}.` }],
  ];
}

function messages(): Document {
  const events = topics.filter(({ carries }) => carries === 'event').map(({ name }) => name.slice('events.'.length));
  return {
    ...Object.fromEntries(events.map((type) => [type, eventMessage(type)])),
    command: {
      title: 'A command to a connector worker',
      headers: headersOf(encodeCommand(sampleCommand).headers, commandSchemaVersion),
      payload: { type: 'object', description: 'The mapped input of the action, the same bytes at every resend.', additionalProperties: true },
      bindings: kafkaKey('Id of the integration.'),
    },
    result: { title: 'What a command came to', headers: headersOf(encodeResult(sampleResult).headers, resultSchemaVersion), payload: resultPayload, bindings: kafkaKey('Id of the run.') },
    'dead-letter': {
      title: 'A record nobody could process',
      description: 'Key, value and headers as they were; behind them where it came from and why it is here.',
      headers: { type: 'object', additionalProperties: true, required: Object.values(deadLetterHeaders), properties: Object.fromEntries(Object.values(deadLetterHeaders).map((name) => [name, { type: 'string' }])) },
      payload: { description: 'The original bytes; perhaps not JSON.' },
      bindings: kafkaKey('The original key.'),
    },
    'config-change': { title: 'Something an organisation configured has changed', headers: headersOf(encodeConfigChange(sampleChange).headers, configChangeSchemaVersion), payload: configChangePayload, bindings: kafkaKey('Id of the organisation.') },
  };
}

function eventMessage(type: string): Document {
  return {
    title: type === 'custom' ? 'An event of a type the organisation attached a chain to' : type,
    headers: headersOf(encodeEvent(sampleEvent).headers, eventSchemaVersion),
    payload: isBuiltInEventType(type) ? builtInEventSchemas[type] : { description: 'Any JSON, at most 256 KB and 64 levels deep.' },
    bindings: kafkaKey('16 bytes: hash of organisation and subject; without a subject the run id.'),
  };
}

function kafkaKey(description: string): Document {
  return { kafka: { key: { type: 'string', description }, bindingVersion: '0.5.0' } };
}

const text = (description: string): Document => ({ type: 'string', description });

/** Every header the platform writes. `?`: may be absent. */
const headerMeanings: Readonly<Record<string, string>> = {
  ce_specversion: 'CloudEvents version: 1.0.',
  ce_id: 'Id, unique within the source.',
  ce_source: 'Who published it.',
  ce_type: 'Event type; tells custom types apart.',
  ce_organisationid: 'Organisation (UUID), set by the platform from the API key.',
  ce_digest: 'Hash of type, subject and data; tells a second event under the same id apart.',
  'ce_subject?': 'What it is about.',
  'ce_time?': 'When it happened, RFC 3339.',
  'ce_assistant?': 'Assistant whose chain applies.',
  'content-type': 'application/json.',
  'traceparent?': 'W3C Trace Context.',
  tl_schema: 'Version of the record\'s schema; readers take this one and the one before.',
  tl_kind: 'execute or settle.',
  tl_organisation: 'Organisation (UUID).',
  tl_run: 'Run (UUID).',
  tl_step: 'Step id.',
  tl_dispatch: 'Number of this command of the step.',
  tl_effect_key: 'The same for every attempt, redrive and replay of the step.',
  tl_integration: 'Integration (UUID).',
  tl_provider: 'Provider id.',
  tl_action: 'Action of the provider.',
  'tl_ordering?': 'Hash of organisation and subject; absent: unordered.',
  tl_start_before: 'Epoch ms, database clock: past it the command is not started.',
  tl_deadline_ms: 'Time-out of the call.',
  tl_first_dispatched: 'Epoch ms of the step\'s first dispatch.',
};

function headersOf(written: readonly (readonly [string, Buffer])[], schemaVersion: number): Document {
  const described = written.map(([name]) => {
    const meaning = headerMeanings[name] ?? headerMeanings[`${name}?`];
    if (meaning === undefined) throw new Error(`header ${name} is written and not described`);
    return [name, name === 'tl_schema' ? { ...text(meaning), examples: [String(schemaVersion)] } : text(meaning)] as const;
  });
  return { type: 'object', required: written.map(([name]) => name).filter((name) => Object.hasOwn(headerMeanings, name)), properties: Object.fromEntries(described) };
}

const id = '00000000-0000-4000-8000-000000000001';
const sampleEvent: AcceptedEvent = { organisationId: id, id: '1', source: '/s', type: 'escalation', subject: 's', time: '2026-01-01T00:00:00Z', assistantId: 'a', data: Buffer.from('{}'), digest: '0', traceparent: 't' };
const sampleCommand: Command = {
  kind: 'execute', organisationId: id, runId: id, stepId: 's', dispatch: 1, effectKey: '0', integrationId: id, provider: 'p', action: 'a', orderingKey: 'k', startBeforeMs: 1, deadlineMs: 1, firstDispatchedAtMs: 1, input: Buffer.from('{}'), traceparent: 't',
};
const sampleResult: StepResult = { schema: resultSchemaVersion, organisationId: id, runId: id, stepId: 's', dispatch: 1, integrationId: id, answer: { kind: 'outcome', outcome: { kind: 'expired' } }, call: null, worker: 'w' };
const sampleChange = { schema: configChangeSchemaVersion, organisationId: id, kind: 'chain' as const, id: 'escalation' };

const resultPayload: Document = {
  type: 'object',
  required: Object.keys(sampleResult),
  properties: {
    schema: { const: resultSchemaVersion },
    organisationId: text('Organisation (UUID).'),
    runId: text('Run (UUID).'),
    stepId: text('Step id.'),
    dispatch: { type: 'integer', minimum: 1 },
    integrationId: text('Integration (UUID).'),
    answer: {
      oneOf: [
        { type: 'object', required: ['kind', 'outcome'], properties: { kind: { const: 'outcome' }, outcome: { type: 'object', required: ['kind'], properties: { kind: { enum: ['ok', 'failed', 'transient', 'throttled', 'auth', 'expired', 'unknown', 'parked'] } } } } },
        { type: 'object', required: ['kind', 'finding'], properties: { kind: { const: 'finding' }, finding: { type: 'object', required: ['kind'], properties: { kind: { enum: ['found', 'none', 'several', 'failed'] } } } } },
      ],
    },
    call: { type: ['object', 'null'], description: 'The provider call as the worker saw it; null when none was made.' },
    worker: text('Who executed it.'),
  },
};

const configChangePayload: Document = {
  type: 'object',
  required: Object.keys(sampleChange),
  properties: { schema: { const: configChangeSchemaVersion }, organisationId: text('Organisation (UUID).'), kind: { enum: ['integration', 'chain'] }, id: text('Id of the integration, or the event type.') },
};
