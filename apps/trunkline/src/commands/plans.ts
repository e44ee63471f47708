import { createIdentity, isPlan, planNames, plans } from '@trunkline/identity';
import type { Command } from 'commander';
import { CommandUsage } from '../client/failure.js';
import { withOperator } from '../client/operator.js';
import { print, say, type OutputFormat } from '../client/output.js';
import { withOutput } from './options.js';

export function addPlans(program: Command): void {
  const group = program.command('plans').description('what an organisation may have and use');
  withOutput(group.command('list'))
    .description('every plan with what it includes; – is without a limit')
    .action(({ output }: { output: OutputFormat }) => {
      print(planNames.map((name) => ({ plan: name, ...plans[name] })), ['plan', 'integrations', 'eventsPerMinute', 'requestsPerMinute', 'keyRequestsPerMinute', 'retentionDays'], output, '');
    });
  group
    .command('give')
    .description('an operator gives an organisation a plan; gateways follow within 30 seconds')
    .argument('<organisation>', 'its id')
    .argument('<plan>', planNames.join(', '))
    .option('--set <limit=number...>', 'what its contract changes, as eventsPerMinute=12000 or eventsPerMinute=none')
    .addHelpText('after', '\nNeeds DATABASE_URL in the environment.')
    .action((organisationId: string, plan: string, { set = [] }: { set?: readonly string[] }) => {
      if (!isPlan(plan)) throw CommandUsage.because(`${plan}: use ${planNames.join(', ')}`);
      const overrides = Object.fromEntries(set.map(overrideOf));
      return withOperator(async ({ databases, tell }) => {
        const before = await createIdentity({ databases }).givePlan({ organisationId, plan, overrides });
        await tell(organisationId, { action: 'plans:give', subject: 'trunkline plans give', before, after: { plan, overrides } });
        say(`Given: ${plan}.`);
      });
    });
}

function overrideOf(text: string): readonly [limit: string, value: number | null] {
  const [, limit = '', value = ''] = /^(\w+)=(\d+|none)$/.exec(text) ?? [];
  if (!Object.hasOwn(plans.enterprise, limit) || (value === 'none' && !limit.endsWith('PerMinute'))) throw CommandUsage.because(`--set ${text}: use one of ${Object.keys(plans.enterprise).join(', ')} and a number`);
  return [limit, value === 'none' ? null : Number(value)];
}
