import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { builtInEventTypes, type BuiltInEventType } from './topic.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

const text = (maxLength: number, description: string): JsonSchema => ({ type: ['string', 'null'], maxLength, description });
const requiredText = (maxLength: number, description: string): JsonSchema => ({ type: 'string', minLength: 1, maxLength, description });
const instant = (description: string): JsonSchema => ({ type: ['string', 'null'], format: 'date-time', description: `${description} RFC 3339.` });

const contact: JsonSchema = {
  type: ['object', 'null'],
  description: 'The person on the other side.',
  properties: {
    id: text(200, 'Id of the contact in the upstream or contact-centre system.'),
    name: text(500, 'Name as spoken or displayed.'),
    phone: text(50, 'Phone number.'),
    email: text(320, 'E-mail address.'),
  },
};

/** JSON Schema (2020-12) of each built-in type's data. Further properties are allowed everywhere: mappings may read what a council adds. */
export const builtInEventSchemas: Readonly<Record<BuiltInEventType, JsonSchema>> = {
  conversation_ended: {
    title: 'conversation_ended',
    description: 'A call or chat has completed.',
    type: 'object',
    required: ['conversation_id'],
    properties: {
      conversation_id: requiredText(200, 'Id of the conversation in the upstream system.'),
      channel: text(100, 'How it was held, for example Call, Chat, Web.'),
      started_at: instant('When the conversation started.'),
      ended_at: instant('When it ended.'),
      summary: text(100_000, 'What it was about, in words.'),
      request_type: text(500, 'Kind of service asked for.'),
      address: text(1000, 'Where the service is needed.'),
      area: text(500, 'District or area of the council.'),
      status: text(100, 'State of the request in the upstream system.'),
      contact,
    },
  },
  contact_request: {
    title: 'contact_request',
    description: 'The user asks for a call back.',
    type: 'object',
    required: ['contact'],
    properties: {
      conversation_id: text(200, 'Conversation in which it was asked.'),
      contact: {
        type: 'object',
        description: 'Whom to call back; a phone number or an e-mail address is needed.',
        properties: { id: text(200, 'Id of the contact.'), name: text(500, 'Name.'), phone: text(50, 'Phone number.'), email: text(320, 'E-mail address.') },
        anyOf: [
          { required: ['phone'], properties: { phone: { type: 'string', minLength: 1 } } },
          { required: ['email'], properties: { email: { type: 'string', minLength: 1 } } },
        ],
      },
      reason: text(10_000, 'Why the person wants to be called.'),
      preferred_at: instant('When the call back suits.'),
      requested_at: instant('When it was asked for.'),
    },
  },
  escalation: {
    title: 'escalation',
    description: 'A call is escalated to a human.',
    type: 'object',
    required: ['conversation_id', 'reason'],
    properties: {
      conversation_id: requiredText(200, 'Id of the conversation in the upstream system.'),
      reason: requiredText(10_000, 'Why it was escalated.'),
      urgency: { enum: ['low', 'normal', 'high', 'critical', null], description: 'How soon somebody should take it.' },
      queue: text(500, 'Queue or team it goes to.'),
      escalated_at: instant('When it was escalated.'),
      summary: text(100_000, 'What was said until then.'),
      contact,
    },
  },
  kb_sync: {
    title: 'kb_sync',
    description: 'A scheduled synchronisation of a knowledge base is due.',
    type: 'object',
    required: ['knowledge_base_id'],
    properties: {
      knowledge_base_id: requiredText(200, 'Knowledge base to synchronise.'),
      mode: { enum: ['full', 'changes', null], description: 'Everything, or what has changed since the last time.' },
      scheduled_at: instant('When it was scheduled for.'),
    },
  },
  low_score: {
    title: 'low_score',
    description: "The conversation's score is below the organisation's threshold.",
    type: 'object',
    required: ['conversation_id', 'score', 'threshold'],
    properties: {
      conversation_id: requiredText(200, 'Id of the conversation in the upstream system.'),
      score: { type: 'number', description: 'Score of the conversation.' },
      threshold: { type: 'number', description: 'Threshold it fell below.' },
      reasons: { type: ['array', 'null'], maxItems: 100, items: { type: 'string', maxLength: 10_000 }, description: 'What lowered the score.' },
      summary: text(100_000, 'What it was about, in words.'),
      contact,
    },
  },
};

const rfc3339 = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** RFC 3339 §5.6 date-time. */
export function isInstant(candidate: string): boolean {
  return rfc3339.test(candidate);
}

const ajv = new Ajv2020({ allowUnionTypes: true, strictRequired: false, formats: { 'date-time': isInstant } });
const validators = new Map<string, ValidateFunction>(builtInEventTypes.map((type) => [type, ajv.compile(builtInEventSchemas[type])]));

export function isBuiltInEventType(type: string): type is BuiltInEventType {
  return validators.has(type);
}

/** What is wrong with a built-in type's data, or null; types an organisation defined carry any JSON. Shared by the gateway and the ledger (delivery §2). */
export function eventDataProblem(type: string, data: unknown): string | null {
  const validate = validators.get(type);
  if (validate === undefined || validate(data)) return null;
  const first = validate.errors?.[0];
  const where = first === undefined || first.instancePath === '' ? 'data' : `data${first.instancePath}`;
  return `${where} ${first?.message ?? 'does not fit the schema'}`;
}
