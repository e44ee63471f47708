import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createAuditTrail } from '@trunkline/audit';
import { openDatabases, openPool, type Databases } from '@trunkline/storage';
import { loadMasterKeys, parseMasterKeys, type MasterKeys } from '@trunkline/vault';
import type { Pool } from 'pg';
import { demoSecrets } from '../dev/seed.js';
import { NoTarget } from './failure.js';
import { readDevFile, stateFolder } from './target.js';

/** What an operator's command works on: the database itself, and the master keys as every process has them. */
export interface Operator {
  readonly databases: Databases;
  /** As `app_custody`: sees the wrapped data keys of every organisation. */
  readonly custody: Pool;
  masterKeys(): MasterKeys;
  /** Into the organisation's own trail, once it is done. */
  tell(organisationId: string, act: OperatorAct): Promise<void>;
}

export interface OperatorAct {
  readonly action: 'plans:give' | 'account:password' | 'secrets:reseal';
  /** The command, and what it was about. */
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** DATABASE_URL and the variables of the master keys first, else what a local `npm start` runs on. */
export async function withOperator(work: (operator: Operator) => Promise<void>): Promise<void> {
  const given = process.env['DATABASE_URL'];
  const local = given === undefined ? readDevFile() : null;
  const databaseUrl = given ?? local?.databaseUrl;
  if (databaseUrl === undefined || (local !== null && !existsSync(stateFolder()))) throw NoTarget.because('this command works on the database: set DATABASE_URL, and TRUNKLINE_MASTER_KEYS or TRUNKLINE_MASTER_KEYS_FILE, as for the services');
  const databases = openDatabases(databaseUrl);
  const custody = openPool('app_custody', databaseUrl, { max: 2 });
  try {
    const trail = createAuditTrail(databases);
    const tell: Operator['tell'] = (organisationId, { action, subject, before = null, after = null }) => trail.append(organisationId, { actor: 'operator', address: null, action, subject, outcome: 'done', requestId: randomUUID(), before, after });
    await work({ databases, custody, tell, masterKeys: () => (local === null ? loadMasterKeys() : parseMasterKeys(demoSecrets(stateFolder()).masterKeys)) });
  } finally {
    await Promise.all([custody.end(), databases.close()]);
  }
}
