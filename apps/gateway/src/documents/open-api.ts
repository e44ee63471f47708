import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { builtInEventSchemas } from '@trunkline/contracts';

/** The API description, made once from the controllers. */
export class OpenApi {
  private made: OpenAPIObject | null = null;

  describe(application: INestApplication): void {
    this.made = openApiOf(application);
  }

  document(): OpenAPIObject {
    if (this.made === null) throw new Error('the API description is asked for before it is made');
    return this.made;
  }
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457 problem details.',
  required: ['type', 'title', 'status', 'detail', 'code', 'fix'],
  properties: {
    type: { type: 'string', format: 'uri', examples: ['urn:trunkline:problem:event.invalid'] },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What exactly was wrong.' },
    code: { type: 'string', description: 'Registered error code.', examples: ['event.invalid'] },
    fix: { type: 'string', description: 'What to do next.' },
    request_id: { type: 'string' },
  },
} as const;

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } });

/** OpenAPI 3.1, self-contained. */
export function openApiOf(application: INestApplication): OpenAPIObject {
  const base = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Trunkline')
    .setDescription('Publish events, watch what becomes of them, and configure who is told. Every error is RFC 9457 problem details with a registered code and a way out.')
    .setVersion('1')
    .addSecurity('key', { type: 'http', scheme: 'bearer', description: 'API key `tl_…`, also taken from the header `x-api-key`.' })
        .addSecurity('session', { type: 'apiKey', in: 'cookie', name: 'trunkline_session', description: 'Cookie of a signed-in person (`__Host-trunkline_session` over https). Everything but GET also needs the header `x-csrf-token`.' })
    .build();
  const document = SwaggerModule.createDocument(application, base, { operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}` });
  const schemas = { ...document.components?.schemas, Problem: problemSchema, CloudEvent: cloudEvent, Receipt: receipt };
  const full = { ...document, components: { ...document.components, schemas } } as unknown as OpenAPIObject;
  for (const path of Object.values(full.paths)) {
    for (const operation of Object.values(path as Record<string, Operation>)) {
      if (operation.responses === undefined) continue;
      operation.security = securityOf(operation['x-permission']);
      const needsNobody = operation['x-permission'] === 'nobody';
      Object.assign(operation.responses, { 400: problem('The request is not valid.'), ...(needsNobody ? {} : { 401: problem('No API key or session, or one that is not accepted.'), 403: problem('The permission in `x-permission` is missing.') }), 429: problem('Too many requests; RateLimit and Retry-After say when there will be more.'), 503: problem('A part it depends on is away; repeat after Retry-After.') });
    }
  }
  return full;
}

interface Operation {
  responses?: Record<string, unknown>;
  security?: unknown;
  readonly 'x-permission'?: string;
}

/** What the guard takes: a key or a session, a session alone, or nothing. */
function securityOf(need: string | undefined): readonly Record<string, readonly string[]>[] {
  if (need === 'nobody') return [];
  return need === 'signed-in' ? [{ session: [] }] : [{ key: [] }, { session: [] }];
}

const receipt = { type: 'object', required: ['run_id', 'source', 'id'], properties: { run_id: { type: 'string', format: 'uuid' }, source: { type: 'string' }, id: { type: 'string' } } } as const;

const cloudEvent = {
  type: 'object',
  description: 'CloudEvents 1.0.2, structured JSON. Binary mode (`ce-` headers, the body is the data) is understood too.',
  required: ['specversion', 'id', 'source', 'type'],
  properties: {
    specversion: { const: '1.0' },
    id: { type: 'string', maxLength: 1024, description: 'Unique within the source; a repeat gets the same receipt and does nothing twice.' },
    source: { type: 'string', maxLength: 1024 },
    type: { type: 'string', maxLength: 1024, description: `Built in: ${Object.keys(builtInEventSchemas).join(', ')}; or a type a chain is attached to.` },
    subject: { type: 'string', maxLength: 1024, description: 'What it is about; steps with `ordering: subject` keep its order.' },
    time: { type: 'string', format: 'date-time' },
    assistant: { type: 'string', maxLength: 1024, description: 'Whose chain applies.' },
    datacontenttype: { const: 'application/json' },
    data: { description: 'At most 256 KB and 64 levels deep; see GET /api/event-types for the schemas.' },
  },
  examples: [{ specversion: '1.0', id: 'SR-1', source: '/demo', type: 'conversation_ended', subject: '12 Harbour Street', data: { conversation_id: 'SR-1', channel: 'Call', summary: 'Missed bin' } }],
} as const;
