import { parseHead, Verification, type StoredEntry } from '@trunkline/audit';
import type { Command } from 'commander';
import { CommandUsage, exitCodes } from '../client/failure.js';
import { print, printOne, say, type OutputFormat, type Row } from '../client/output.js';
import { withApi, withOutput } from './options.js';

interface AuditPage {
  readonly organisation_id: string;
  readonly entries: readonly (StoredEntry & Row)[];
  readonly next: number | null;
}

const pageSize = 500;

export function addAudit(program: Command): void {
  const audit = program.command('audit').description('who did what in the organisation');
  withOutput(audit.command('list'))
    .description('the newest entries')
    .option('--limit <count>', 'how many, at most 500', '50')
    .action(({ output, limit }: { output: OutputFormat; limit: string }) =>
      withApi(async (api) => {
        const { body } = await api.call<AuditPage>('GET', `/api/audit?limit=${encodeURIComponent(limit)}`);
        print(body.entries, ['seq', 'at', 'actor', 'address', 'action', 'subject', 'outcome'], output, 'Nobody has done anything yet.');
      }),
    );
  withOutput(audit.command('verify'))
    .description('check every entry from the first one on: nothing changed, nothing taken out')
    .option('--head <entries:hash>', 'one that an earlier check printed: the trail must still contain it')
    .addHelpText('after', '\nThe head it prints is worth keeping elsewhere: given back with --head it shows a trail that was cut off, or written anew with hashes that fit.')
    .action(({ output, head }: { output: OutputFormat; head?: string }) =>
      withApi(async (api) => {
        const kept = head === undefined ? null : parseHead(head);
        if (head !== undefined && kept === null) throw CommandUsage.because(`--head is not <entries>:<64 hexadecimal digits>: ${head.slice(0, 100)}`);
        const read = async (after: number): Promise<AuditPage> => (await api.call<AuditPage>('GET', `/api/audit?limit=${pageSize}&after=${after}`)).body;
        let page = await read(0);
        const verification = new Verification(page.organisation_id, kept);
        for (;;) {
          for (const entry of page.entries) {
            const broken = verification.next(entry);
            if (broken === null) continue;
            printOne(broken, output, () => `✗ ${broken.says}`);
            process.exitCode = exitCodes.failed;
            return;
          }
          if (page.next === null) break;
          say(`${page.next} entries checked`);
          page = await read(page.next);
        }
        const verdict = verification.end();
        if (verdict.kind === 'broken') process.exitCode = exitCodes.failed;
        printOne(verdict, output, () => (verdict.kind === 'whole' ? `✓ ${verdict.entries} entries, each fits the one before${kept === null ? '' : `, and entry ${kept.seq} is the one that was kept`}. To be kept elsewhere: --head ${verdict.head}` : `✗ ${verdict.says}`));
      }),
    );
}
