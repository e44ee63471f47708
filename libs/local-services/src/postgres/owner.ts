import { execFileSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** The system user a server runs as. PostgreSQL refuses to run as root, so root lends it to an unprivileged one. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

/** Null: the server runs as whoever started us. */
export function serverOwner(): Owner | null {
  if (process.getuid?.() !== 0) return null;
  return lookUp('postgres') ?? lookUp('nobody') ?? { uid: 65534, gid: 65534, name: 'nobody' };
}

function lookUp(name: string): Owner | null {
  try {
    const uid = Number(execFileSync('id', ['-u', name], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
    const gid = Number(execFileSync('id', ['-g', name], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
    return { uid, gid, name };
  } catch {
    return null;
  }
}

/** The nearest existing folder on the way to `path` that `owner` may not enter, or null when the way is free. */
export function blockedOnTheWayTo(path: string, owner: Owner | null): string | null {
  for (let folder = path; ; folder = dirname(folder)) {
    const refused = mayEnter(folder, owner) ? null : folder;
    if (refused !== null) return refused;
    if (folder === dirname(folder)) return null;
  }
}

function mayEnter(folder: string, owner: Owner | null): boolean {
  if (owner === null) return canAccess(folder);
  const status = statSync(folder, { throwIfNoEntry: false });
  if (status === undefined) return true;
  if (status.uid === owner.uid) return (status.mode & 0o100) !== 0;
  if (status.gid === owner.gid) return (status.mode & 0o010) !== 0;
  return (status.mode & 0o001) !== 0;
}

function canAccess(folder: string): boolean {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return true;
  try {
    accessSync(folder, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
