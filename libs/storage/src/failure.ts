import { TrunklineError } from '@trunkline/contracts';
import { NotMigrated, StorageFull, StorageRefused, StorageUnavailable } from './errors.js';

const socketCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT']);
/** PostgreSQL appendix A: connection exceptions (class 08), shutdown and start-up (57P0x), too many connections. */
const serverAway = /^(?:08|57P0|53300)/;
/** disk_full and configuration_limit_exceeded. */
const serverFull = /^53[14]00$/;
/** node-postgres gives these no code. */
const clientAway = /^(?:Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed)/;

/** True when the error says that the database cannot be reached or is ending, so that the outcome of a running commit is not known. */
export function isDatabaseAway(error: unknown): boolean {
  if (StorageUnavailable.matches(error)) return true;
  const { code, message, isFatal, errors } = read(error);
  // A server without room cannot start sessions either: it has to write its own files for them.
  const isShut = isFatal && serverFull.test(code);
  return isShut || socketCodes.has(code) || serverAway.test(code) || clientAway.test(message) || errors.some(isDatabaseAway);
}

/** Only while a session starts: wrong login or database; a role that is missing or not ours. */
const refusals = [
  { codes: /^(?:28|3D000)/, refusal: StorageRefused },
  { codes: /^(?:22023|42501)/, refusal: NotMigrated },
];

/** Gives database trouble its registered code; everything else stays what it was. */
export function classifyFailure(error: unknown, act: string): unknown {
  if (error instanceof TrunklineError) return error;
  if (isDatabaseAway(error)) return StorageUnavailable.from(error, act);
  const { code, message, isFatal } = read(error);
  const refused = isFatal ? refusals.find(({ codes }) => codes.test(code)) : undefined;
  if (refused !== undefined) return refused.refusal.from(error, message);
  if (serverFull.test(code)) return StorageFull.from(error, act);
  return error;
}

/** By shape, not by class: errors of sockets may come from another realm, and a failed connect to several addresses is a list. */
function read(error: unknown): { readonly code: string; readonly message: string; readonly isFatal: boolean; readonly errors: readonly unknown[] } {
  if (typeof error !== 'object' || error === null) return { code: '', message: '', isFatal: false, errors: [] };
  return {
    code: 'code' in error && typeof error.code === 'string' ? error.code : '',
    message: 'message' in error && typeof error.message === 'string' ? error.message : '',
    isFatal: 'severity' in error && error.severity === 'FATAL',
    errors: 'errors' in error && Array.isArray(error.errors) ? error.errors : [],
  };
}
