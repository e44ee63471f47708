import { Command } from 'commander';
import { addAudit } from './commands/audit.js';
import { addBench } from './commands/bench.js';
import { addChaos } from './commands/chaos.js';
import { addDeadLetters } from './commands/dead-letters.js';
import { addDev } from './commands/dev.js';
import { addDoctor } from './commands/doctor.js';
import { addIntegrations } from './commands/integrations.js';
import { addKeys } from './commands/keys.js';
import { addOrganisations } from './commands/organisations.js';
import { addPlans } from './commands/plans.js';
import { addRuns } from './commands/runs.js';
import { addSecrets } from './commands/secrets.js';
import { addSendEvent } from './commands/send-event.js';
import { addSim } from './commands/sim.js';
import { addTopics } from './commands/topics.js';
import { addUsers } from './commands/users.js';
import { addWipe } from './commands/wipe.js';

/** Every command of `trunkline`; each file under commands/ adds one word. */
export function buildProgram(): Command {
  const program = new Command('trunkline')
    .description('Trunkline: one event, a chain of integrations, nothing lost, nothing done twice')
    .version('0.1.0')
    .showHelpAfterError('(add --help to see how it is used)')
    .addHelpText(
      'after',
      `
Talks to the platform that \`npm start\` runs here, or to another by TRUNKLINE_URL and TRUNKLINE_API_KEY.
Exit status: 0 ok · 1 failed outcome · 2 usage · 3 not found · 4 not allowed · 5 not reachable.`,
    );
  addDev(program);
  addSendEvent(program);
  addRuns(program);
  addDeadLetters(program);
  addTopics(program);
  addIntegrations(program);
  addUsers(program);
  addKeys(program);
  addPlans(program);
  addAudit(program);
  addSecrets(program);
  addOrganisations(program);
  addSim(program);
  addDoctor(program);
  addBench(program);
  addChaos(program);
  addWipe(program);
  for (const command of [program, ...program.commands, ...program.commands.flatMap((inner) => inner.commands)]) command.exitOverride();
  return program;
}
