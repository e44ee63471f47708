import type { Migration } from '../migration.js';

/** Which version of the integration a gate was closed over: credentials saved since open it, whatever the clocks say. */
export const gateVersions: Migration = {
  name: 'gate-versions',
  timestamp: 1_763_701_200_000,
  statements: ['alter table gates add column integration_version integer'],
};
