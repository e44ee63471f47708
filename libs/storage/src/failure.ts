import { TrunklineError } from '@trunkline/contracts';
import { StorageFull, StorageUnavailable } from './errors.js';

const socketCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT']);
/** PostgreSQL appendix A: connection exceptions (class 08), shutdown and start-up (57P0x), too many connections. */
const serverAway = /^(?:08|57P0|53300)/;
/** node-postgres gives these no code. */
const clientAway = /^(?:Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed)/;

/** True when the error says that the database cannot be reached or is ending, so that the outcome of a running commit is not known. */
export function isDatabaseAway(error: unknown): boolean {
  if (StorageUnavailable.matches(error)) return true;
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (socketCodes.has(code) || serverAway.test(code) || clientAway.test(error.message)) return true;
  return error instanceof AggregateError && error.errors.some(isDatabaseAway);
}

/** Gives database trouble its registered code; everything else stays what it was. */
export function classifyFailure(error: unknown, act: string): unknown {
  if (error instanceof TrunklineError) return error;
  if (isDatabaseAway(error)) return StorageUnavailable.from(error, act);
  if (error instanceof Error && /^53[14]00$/.test(codeOf(error))) return StorageFull.from(error, act);
  return error;
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
