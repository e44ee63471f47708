export type { TestDatabase } from './test-database.js';
export { openTestDatabase } from './test-database.js';
export { tenantTables } from './catalogue.js';
