import { createPeople } from '@trunkline/identity';
import type { Command } from 'commander';
import { UserMissing } from '../client/failure.js';
import { withOperator } from '../client/operator.js';
import { print, printOne, say, write, type OutputFormat, type Row } from '../client/output.js';
import { withApi, withOutput } from './options.js';

export function addUsers(program: Command): void {
  const users = program.command('users').description('who belongs to the organisation');
  withOutput(users.command('list'))
    .description('members, and invitations that are open')
    .action(({ output }: { output: OutputFormat }) => withApi(async (api) => {
      const [members, invitations] = [await api.call<{ people: readonly Row[] }>('GET', '/api/people'), await api.call<{ invitations: readonly Row[] }>('GET', '/api/invitations')];
      const rows = [...members.body.people.map((row) => ({ ...row, is: 'member' })), ...invitations.body.invitations.map((row) => ({ ...row, is: 'invited' }))];
      print(rows, ['id', 'email', 'name', 'role', 'is'], output, 'Nobody yet: `npx --no trunkline users invite` asks somebody in.');
    }));
  withOutput(users.command('invite'))
    .description('ask somebody in; prints a token that is good once, for that address, for seven days')
    .argument('<email>', 'their address')
    .requiredOption('--role <role>', 'admin, data_ops, planner, staff or viewer (owners are invited by owners who are signed in)')
    .action((email: string, { role, output }: { role: string; output: OutputFormat }) => withApi(async (api, { url }) => {
      const { body } = await api.call<{ token: string }>('POST', '/api/invitations', { email, role });
      printOne(body, output, () => body.token);
      say(`Give it to them: POST ${url}/api/invitations/accept takes it with a name and a password. It is shown this once.`);
    }));
  users
    .command('new-password')
    .description('an operator\'s help for somebody who forgot theirs: prints a new one and ends their sessions')
    .argument('<email>', 'their address')
    .addHelpText('after', '\nNeeds DATABASE_URL in the environment.')
    .action((email: string) => withOperator(async ({ databases, tell }) => {
      const people = createPeople({ databases });
      const account = await people.accounts.byEmail(email);
      const password = await people.accounts.replacePassword(email);
      if (account === null || password === null) throw UserMissing.because(email);
      for (const { organisationId } of await people.sessions.memberships(account.id)) await tell(organisationId, { action: 'account:password', subject: `trunkline users new-password user:${account.id}` });
      write(password);
      say('It is shown this once; they change it with PUT /api/session/password.');
    }));
}
