import { masterKeysInUse, organisationsWithSecrets, resealOrganisation, wrapAnew } from '@trunkline/custody';
import { openVault } from '@trunkline/storage';
import { localKeyWrapper } from '@trunkline/vault';
import type { Command } from 'commander';
import { withOperator } from '../client/operator.js';
import { print, printOne, say, type OutputFormat } from '../client/output.js';
import { withOutput } from './options.js';

const order = `
A new master key, without a failed call:
  1. give every process the new key behind the old one, and restart them
  2. give every process the new key first, and restart them
  3. trunkline secrets rotate
  4. once \`trunkline secrets status\` shows no data key under the old one, take it away
Needs DATABASE_URL and the master keys in the environment, as the services do.`;

export function addSecrets(program: Command): void {
  const secrets = program.command('secrets').description('the keys under which credentials are kept').addHelpText('after', order);
  withOutput(secrets.command('status'))
    .description('which master key wraps how many data keys')
    .action(({ output }: { output: OutputFormat }) =>
      withOperator(async ({ custody, masterKeys }) => {
        const { keys, current } = masterKeys();
        const inUse = await masterKeysInUse(custody, localKeyWrapper({ keys, current }));
        const ids = [...new Set([...keys.map(({ id }) => id), ...inUse.keys()])];
        print(ids.map((id) => ({ master_key: id, state: id === current ? 'current' : keys.some((key) => key.id === id) ? 'opens' : 'MISSING', data_keys: inUse.get(id) ?? 0 })), ['master_key', 'state', 'data_keys'], output, 'No master key.');
      }),
    );
  withOutput(secrets.command('rotate'))
    .description('wrap every data key with the current master key; no secret is touched, nothing has to stop')
    .addHelpText('after', order)
    .action(({ output }: { output: OutputFormat }) =>
      withOperator(async ({ custody, masterKeys }) => {
        const wrapper = localKeyWrapper(masterKeys());
        const done = await wrapAnew(custody, wrapper, ({ seen, total, wrappedAnew }) => say(`${seen} of ${total} data keys looked at, ${wrappedAnew} wrapped anew`));
        printOne({ master_key: wrapper.currentId, data_keys: done.total, wrapped_anew: done.wrappedAnew }, output, () => `All ${done.total} data keys are under master key ${wrapper.currentId}; ${done.wrappedAnew} were wrapped anew.`);
      }),
    );
  withOutput(secrets.command('reseal'))
    .description('give organisations a new data key and seal their credentials anew, row by row')
    .option('--organisation <id>', 'only this one; without it, every organisation that has credentials')
    .action(({ output, organisation }: { output: OutputFormat; organisation?: string }) =>
      withOperator(async ({ databases, custody, masterKeys, tell }) => {
        const vault = openVault(databases, masterKeys());
        const organisations = organisation === undefined ? await organisationsWithSecrets(custody) : [organisation];
        let resealed = 0;
        for (const [index, id] of organisations.entries()) {
          const done = await resealOrganisation(databases, vault, id);
          resealed += done.resealed;
          await tell(id, { action: 'secrets:reseal', subject: 'trunkline secrets reseal', after: { resealed: done.resealed } });
          say(`${index + 1} of ${organisations.length} organisations, ${resealed} credentials sealed anew`);
        }
        printOne({ organisations: organisations.length, resealed }, output, () => `${resealed} credentials of ${organisations.length} organisations are under new data keys.`);
      }),
    );
}
