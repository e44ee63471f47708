import { hash } from 'node:crypto';

/** SHA-256 over length-prefixed parts, so that no two lists of parts share a hash. Several per event: one buffer in one call costs less than an update per part. */
export function hashOf(...parts: readonly (string | Buffer)[]): Buffer {
  const lengths = parts.map((part) => (typeof part === 'string' ? Buffer.byteLength(part) : part.length));
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + length + 4, 0));
  let at = 0;
  parts.forEach((part, index) => {
    at = bytes.writeUInt32BE(lengths[index] ?? 0, at);
    at += typeof part === 'string' ? bytes.write(part, at) : part.copy(bytes, at);
  });
  return hash('sha256', bytes, 'buffer');
}

/** The run an event becomes: a pure function of organisation, source and id, so that a repeat gets the same receipt (delivery §2). A version 8 UUID (RFC 9562 §5.8). */
export function runIdOf(organisationId: string, source: string, id: string): string {
  return uuidFrom(hashOf('run', organisationId, source, id));
}

/** Stands for type, subject and data bytes: a second event under the same id is told apart by it. */
export function digestOf(type: string, subject: string | null, data: Buffer): string {
  return hashOf('event', type, subject === null ? 'none' : 'subject', subject ?? '', data).toString('hex').slice(0, 32);
}

/** The same for every attempt, redrive and replay of a step (delivery §5). */
export function effectKeyOf(organisationId: string, rootRunId: string, rootAcceptedAtMs: number, stepId: string, action: string): string {
  return hashOf('effect', organisationId, rootRunId, String(rootAcceptedAtMs), stepId, action).toString('hex').slice(0, 32);
}

export function subjectHashOf(organisationId: string, subject: string): string {
  return hashOf('subject', organisationId, subject).toString('hex').slice(0, 32);
}

export function uuidFrom(bytes: Buffer): string {
  const copy = Buffer.from(bytes.subarray(0, 16));
  copy[6] = ((copy[6] ?? 0) & 0x0f) | 0x80;
  copy[8] = ((copy[8] ?? 0) & 0x3f) | 0x80;
  const hex = copy.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
