import { accessMatrix, type MatrixRow } from './access-matrix.js';
import type { MatrixWorld, Tenant } from './matrix-world.js';

type Schema = { readonly $ref?: string; readonly type?: string; readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema; readonly allOf?: readonly Schema[] };

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema?: Schema & { readonly format?: string; readonly enum?: readonly string[] };
}

interface Described {
  readonly 'x-permission'?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

/** One operation of the API description, with the row that says how it is used. */
export interface Operation extends MatrixRow {
  /** `GET /api/runs/{id}` */
  readonly name: string;
  readonly method: string;
  readonly template: string;
  readonly permission: string;
  readonly query: readonly Parameter[];
  /** Each object that the body is made of: where it stands, and the fields its description names. */
  readonly bodyParts: readonly BodyPart[];
}

export interface BodyPart {
  readonly path: readonly string[];
  readonly fields: readonly string[];
}

/** What the running gateway says of itself; every operation has its row, or the access matrix is red. */
export async function operationsOf({ gateway }: Pick<MatrixWorld, 'gateway'>): Promise<readonly Operation[]> {
  const document = (await gateway.send('GET', '/api/openapi.json', undefined, { authorization: undefined })).body as { readonly paths: Record<string, Record<string, Described>>; readonly components: { readonly schemas: Record<string, Schema> } };
  return Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([verb, described]) => {
      const method = verb.toUpperCase();
      const row = accessMatrix[`${method} ${template}`];
      if (row === undefined) throw new Error(`${method} ${template} has no row`);
      const [schema] = Object.values(described.requestBody?.content ?? {});
      const bodyParts = schema === undefined ? [] : partsOf(schema.schema, document.components.schemas, []);
      return { ...row, name: `${method} ${template}`, method, template, permission: described['x-permission'] ?? '', query: (described.parameters ?? []).filter((parameter) => parameter.in === 'query'), bodyParts };
    }),
  );
}

export async function pathOf(operation: Operation, tenant: Tenant, world: MatrixWorld): Promise<string> {
  return (await operation.path?.(tenant, world)) ?? operation.template;
}

function partsOf(schema: Schema, schemas: Readonly<Record<string, Schema>>, path: readonly string[]): readonly BodyPart[] {
  const [only] = schema.allOf ?? [];
  if (only !== undefined) return partsOf(only, schemas, path);
  const named = schema.$ref === undefined ? schema : schemas[schema.$ref.split('/').at(-1) ?? ''];
  if (named?.items !== undefined) return partsOf(named.items, schemas, [...path, '0']);
  if (named?.properties === undefined) return [];
  return [{ path, fields: Object.keys(named.properties) }, ...Object.entries(named.properties).flatMap(([name, inner]) => partsOf(inner, schemas, [...path, name]))];
}

/** A copy of `body` with one field more at this place. */
export function withField(body: unknown, path: readonly string[], field: string, value: unknown): unknown {
  const [first, ...rest] = path;
  const isList = first === '0';
  const base = typeof body === 'object' && body !== null ? body : isList ? [] : {};
  if (first === undefined) return { ...base, [field]: value };
  const inner = withField(Reflect.get(base, first), rest, field, value);
  return isList ? [inner] : { ...base, [first]: inner };
}
