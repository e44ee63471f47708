import type { PlannedStep } from '@trunkline/chain';
import type { EntitySchema, EntitySchemaOptions } from 'typeorm';

export interface Organisation {
  id: string;
  name: string;
  createdAt: Date;
}

export interface ApiKey {
  organisationId: string;
  keyId: string;
  name: string;
  /** What people may see of the key. */
  prefix: string;
  scopes: string[];
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
}

export interface Integration {
  organisationId: string;
  id: string;
  provider: string;
  name: string;
  settings: Record<string, unknown>;
  /** Sealed by the vault to `placeOfCredentials`; null: never connected. */
  credentials: Buffer | null;
  paused: boolean;
  createdAt: Date;
  updatedAt: Date;
  /** Counts updates; a save with an old one is refused. */
  version: number;
}

export interface ChainVersion {
  organisationId: string;
  eventType: string;
  /** '' is the organisation's default chain. */
  assistantId: string;
  version: number;
  steps: PlannedStep[];
  /** Events appended from then on are planned by this version. */
  validFrom: Date;
  createdAt: Date;
}

/** What `new EntitySchema` makes, by which TypeORM knows it: a worker that never opens the control plane need not load TypeORM, an eighth of its start. */
const entity = <Row>(options: EntitySchemaOptions<Row>): EntitySchema<Row> => ({ '@instanceof': Symbol.for('EntitySchema'), options });

const time = (name: string) => ({ name, type: 'timestamptz' as const });
const created = { ...time('created_at'), createDate: true } as const;

export const organisationEntity = entity<Organisation>({
  name: 'organisation',
  tableName: 'organisations',
  columns: { id: { type: 'uuid', primary: true }, name: { type: 'text' }, createdAt: created },
});

export const apiKeyEntity = entity<ApiKey>({
  name: 'api-key',
  tableName: 'api_keys',
  columns: {
    organisationId: { name: 'organisation_id', type: 'uuid', primary: true },
    keyId: { name: 'key_id', type: 'text', primary: true },
    name: { type: 'text' },
    prefix: { type: 'text' },
    scopes: { type: 'text', array: true },
    createdAt: created,
    expiresAt: { ...time('expires_at'), nullable: true },
    revokedAt: { ...time('revoked_at'), nullable: true },
    lastUsedAt: { ...time('last_used_at'), nullable: true },
  },
});

export const integrationEntity = entity<Integration>({
  name: 'integration',
  tableName: 'integrations',
  columns: {
    organisationId: { name: 'organisation_id', type: 'uuid', primary: true },
    id: { type: 'uuid', primary: true },
    provider: { type: 'text' },
    name: { type: 'text' },
    settings: { type: 'jsonb' },
    credentials: { type: 'bytea', nullable: true },
    paused: { type: 'boolean', default: false },
    createdAt: created,
    updatedAt: { ...time('updated_at'), updateDate: true },
    version: { type: 'integer', version: true },
  },
});

export const chainVersionEntity = entity<ChainVersion>({
  name: 'chain-version',
  tableName: 'chain_versions',
  columns: {
    organisationId: { name: 'organisation_id', type: 'uuid', primary: true },
    eventType: { name: 'event_type', type: 'text', primary: true },
    assistantId: { name: 'assistant_id', type: 'text', primary: true },
    version: { type: 'integer', primary: true },
    steps: { type: 'jsonb' },
    validFrom: time('valid_from'),
    createdAt: created,
  },
});

export const controlPlaneEntities = [organisationEntity, apiKeyEntity, integrationEntity, chainVersionEntity];
