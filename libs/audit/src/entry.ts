import { createHash } from 'node:crypto';

/** Who did what, when, from where, and what it changed. Credentials never come here: what changed is given as the API shows it, masked. */
export interface AuditEntry {
  /** ISO 8601, by the database's clock. */
  readonly at: string;
  /** `user:<id>`, `key:<id>`, `operator`, or `stranger`: somebody who did not show who they are, as in a refused sign-in. */
  readonly actor: string;
  /** Where the request came from; null for what an operator does on the machine. */
  readonly address: string | null;
  /** The permission or command that was used: `integrations:write`, `runs:replay`. */
  readonly action: string;
  /** What it was done to: the route and the id in it. */
  readonly subject: string;
  /** `done`, or the code of the error it was refused with. */
  readonly outcome: string;
  readonly requestId: string;
  readonly before: unknown;
  readonly after: unknown;
}

export interface StoredEntry {
  readonly seq: number;
  /** The canonical JSON that was hashed, byte for byte. */
  readonly content: string;
  /** Hex. */
  readonly hash: string;
}

/** What the first entry of an organisation follows. */
export const beginning = '0'.repeat(64);

/** SHA-256 over the hash before it, the organisation, the number and the content: nothing can be changed, taken out, moved or brought from elsewhere. */
export function hashOf(previousHash: string, organisationId: string, seq: number, content: string): string {
  return createHash('sha256').update(`${previousHash}\n${organisationId.toLowerCase()}\n${seq}\n`).update(content).digest('hex');
}

/** One text for one value: names sorted, no white space (as RFC 8785 does for the values that occur here). */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one ?? null)).join(',')}]`;
  if (value instanceof Date) return JSON.stringify(value.toISOString());
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const members = Object.entries(value).filter(([, one]) => one !== undefined).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}
