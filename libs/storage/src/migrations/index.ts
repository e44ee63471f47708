import type { Migration } from '../migration.js';
import { audit } from './audit.js';
import { controlPlane } from './control-plane.js';
import { dataKeys } from './data-keys.js';
import { departures } from './departures.js';
import { eventLog } from './event-log.js';
import { gateVersions } from './gate-versions.js';
import { grants } from './grants.js';
import { ledger } from './ledger.js';
import { openIdAttempts } from './openid-attempts.js';
import { people } from './people.js';
import { plans, rateLimits } from './plans.js';
import { retention } from './retention.js';
import { roles } from './roles.js';

/** In the order they run: the timestamps decide, this list follows them. */
export const migrations: readonly Migration[] = [roles, ...eventLog, controlPlane, ledger, people, plans, rateLimits, dataKeys, audit, grants, retention, departures, openIdAttempts, gateVersions];
