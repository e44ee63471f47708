import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { commandLineOf, placesToWipe } from '@trunkline/local-services';
import { CommandUsage } from '../client/failure.js';
import { say } from '../client/output.js';
import { stateFolder } from '../client/target.js';
import { runningPlatform } from '../dev/lock.js';

export function addWipe(program: Command): void {
  program
    .command('wipe')
    .description('remove the local platform\'s data: database, simulators\' journals, local broker, dev.json')
    .action(() => {
      const folder = stateFolder();
      const pid = runningPlatform(folder);
      if (pid !== null) throw CommandUsage.because(`Trunkline is running here (pid ${pid}: ${commandLineOf(pid)?.trim() ?? ''}); stop it first with Ctrl-C`);
      const present = [folder, ...placesToWipe(join(folder, 'pg'))].filter((place) => existsSync(place));
      for (const place of present) rmSync(place, { recursive: true, force: true });
      say(present.length === 0 ? 'There was nothing to wipe.' : `Wiped ${present.join(', ')}. \`npm start\` begins anew.`);
    });
}
