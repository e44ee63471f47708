import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { commandLineOf } from '@trunkline/local-services';
import { CommandUsage } from '../client/failure.js';

const lockName = 'platform.pid';

/** Pid of the platform that runs on this state folder, or null; a file left by a killed one, or whose pid is somebody else's now, counts as none. */
export function runningPlatform(folder: string): number | null {
  const file = join(folder, lockName);
  if (!existsSync(file)) return null;
  const pid = Number(readFileSync(file, 'utf8'));
  const command = pid > 0 && pid !== process.pid ? commandLineOf(pid) : null;
  return command !== null && command.includes('trunkline') && command.includes('dev') ? pid : null;
}

/** Two platforms on one state folder would fight over database and journals: the second is refused. Returns the release. */
export function lockState(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const pid = runningPlatform(folder);
  if (pid !== null) throw CommandUsage.because(`Trunkline already runs here (pid ${pid}); stop it with Ctrl-C in its terminal, or use another folder by TRUNKLINE_STATE`);
  const file = join(folder, lockName);
  rmSync(file, { force: true });
  const handle = openSync(file, 'wx');
  writeSync(handle, String(process.pid));
  closeSync(handle);
  return () => rmSync(file, { force: true });
}
