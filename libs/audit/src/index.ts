export type { AuditTrail, NewEntry, Transaction } from './audit.js';
export { appendEntry, createAuditTrail } from './audit.js';
export type { AuditEntry, StoredEntry } from './entry.js';
export type { Head, Verdict } from './verify.js';
export { parseHead, Verification } from './verify.js';
