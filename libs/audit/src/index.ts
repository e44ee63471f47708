export type { AuditTrail, NewEntry, Transaction } from './audit.js';
export { appendEntry, createAuditTrail } from './audit.js';
export type { AuditEntry, StoredEntry } from './entry.js';
export type { Verdict } from './verify.js';
export { Verification } from './verify.js';
