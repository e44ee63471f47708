import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Simulation, spawnSimulator, temporaryFolder, tokenPaths } from '../testing/simulation.js';
import { journalFile, readJournal } from './journal.js';

const packageFolder = fileURLToPath(new URL('../..', import.meta.url));
const entry = join(packageFolder, 'dist/main.js');
const task = '/services/data/v68.0/sobjects/Task';

let dataDir: string;

beforeAll(() => {
  const root = join(packageFolder, '../..');
  execFileSync(process.execPath, [join(root, 'tools/build.mjs'), join(root, 'libs/contracts'), packageFolder], { stdio: 'ignore' });
});
beforeEach(() => {
  dataDir = temporaryFolder();
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

describe('the journal', () => {
  it('holds every answered write after SIGKILL under load, and ids go on without a repeat', async () => {
    const killed = await spawnSimulator(entry, ['techone', '--data', dataDir, '--limits', 'off']);
    const token = await tokenAt(killed.url);
    const answered: string[] = [];
    const write = async (key: string, url = killed.url): Promise<boolean> => {
      const answer = await fetch(`${url}/Api/WS/v1/WorkRequest/Save`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify({ Items: [{ Description: 'Job', Userfield1Alpha: key }] }) }).catch(() => undefined);
      if (answer?.status !== 200) return false;
      const { Items } = (await answer.json().catch(() => ({ Items: [] }))) as { readonly Items: readonly { readonly WorkRequestNumber: string }[] };
      for (const item of Items) answered.push(`${key} ${item.WorkRequestNumber}`);
      return Items.length > 0;
    };
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let count = 0; await write(`w${writer}-${count}`); count += 1) if (answered.length >= 300) killed.child.kill('SIGKILL');
    });
    await Promise.all(writers);
    const inJournal = new Set((await readJournal(dataDir)).map(({ effectReference, recordId }) => `${effectReference} ${recordId}`));
    expect(answered.length).toBeGreaterThanOrEqual(300);
    expect(answered.filter((write) => !inJournal.has(write))).toEqual([]);
    const again = await spawnSimulator(entry, ['techone', '--data', dataDir, '--limits', 'off']);
    expect(await write('after', again.url)).toBe(true);
    const ids = (await readJournal(dataDir)).map(({ recordId }) => recordId);
    expect(new Set(ids).size).toBe(ids.length);
    expect((await readJournal(dataDir)).map(({ seq }) => seq)).toEqual(ids.map((_, index) => index + 1));
    again.child.kill('SIGTERM');
    await once(again.child, 'exit');
  });

  it('tolerates a torn last line', async () => {
    const first = await Simulation.start({ provider: 'salesforce', dataDir });
    await first.ask('POST', task, { Subject: 'kept' });
    await first.stop();
    appendFileSync(journalFile(dataDir), '{"seq":2,"at":"2026-');
    expect(await readJournal(dataDir)).toHaveLength(1);
    const second = await Simulation.start({ provider: 'salesforce', dataDir });
    const created = await second.ask('POST', task, { Subject: 'next' });
    expect(await readJournal(dataDir)).toMatchObject([{ seq: 1 }, { seq: 2, recordId: created.json['id'] }]);
    expect(readFileSync(journalFile(dataDir), 'utf8').split('\n')).toHaveLength(3);
    await second.stop();
  });

  it('refuses a journal that is damaged in the middle, or belongs to another provider', async () => {
    writeFileSync(journalFile(dataDir), 'nonsense\n{}\n');
    await expect(Simulation.start({ provider: 'genesys', dataDir })).rejects.toMatchObject({ code: 'simulator.journal_unreadable' });
    writeFileSync(journalFile(dataDir), `${JSON.stringify({ seq: 1, at: '2026-11-21T00:00:00.000Z', provider: 'techone', kind: 'created', recordType: 'x', recordId: '1' })}\n`);
    await expect(Simulation.start({ provider: 'genesys', dataDir })).rejects.toMatchObject({ code: 'simulator.journal_unreadable' });
  });
});

describe('a data folder', () => {
  it('brings back records, deletions, clock, tokens and a revocation', async () => {
    const first = await Simulation.start({ provider: 'salesforce', dataDir });
    await first.ask('PATCH', `${task}/Trunkline_Reference__c/a`, { Subject: 'one' });
    const gone = await first.ask('POST', task, { Subject: 'gone' });
    await first.ask('DELETE', `${task}/${String(gone.json['id'])}`);
    await first.control('POST', '/clock', { advanceMs: 3_600_000 });
    const { token } = first;
    await first.stop();
    const second = await Simulation.start({ provider: 'salesforce', dataDir });
    const bearer = { authorization: `Bearer ${token}` };
    expect((await second.ask('PATCH', `${task}/Trunkline_Reference__c/a`, { Subject: 'two' }, bearer)).status).toBe(200);
    expect((await second.ask('GET', `${task}/${String(gone.json['id'])}`)).status).toBe(404);
    expect(Date.parse(String((await second.control('GET', '/clock')).json['now']))).toBeGreaterThan(Date.now() + 3_500_000);
    await second.control('POST', '/revoke');
    await second.stop();
    const third = await Simulation.start({ provider: 'salesforce', dataDir });
    expect((await third.askForToken()).status).toBe(400);
    await third.stop();
  });

  it('belongs to one simulator at a time', async () => {
    const holder = await Simulation.start({ provider: 'genesys', dataDir });
    await expect(Simulation.start({ provider: 'genesys', dataDir })).rejects.toMatchObject({ code: 'simulator.data_in_use', facts: { url: holder.url, pid: process.pid } });
    await holder.stop();
    await (await Simulation.start({ provider: 'genesys', dataDir })).stop();
  });

  it('is taken over from a holder that is gone, also when somebody else answers at its address', async () => {
    const other = await Simulation.start({ provider: 'techone' });
    writeFileSync(join(dataDir, 'simulator.json'), JSON.stringify({ instance: 'gone', url: other.url, pid: process.pid }));
    const successor = await Simulation.start({ provider: 'genesys', dataDir });
    expect((await successor.control('GET', '/stats')).json['provider']).toBe('genesys');
    await successor.stop();
    writeFileSync(join(dataDir, 'simulator.json'), '{"inst');
    await (await Simulation.start({ provider: 'genesys', dataDir })).stop();
    await other.end();
  });

  it('is left alone when the port is taken', async () => {
    const holder = await Simulation.start({ provider: 'genesys' });
    const port = Number(new URL(holder.url).port);
    await expect(Simulation.start({ provider: 'genesys', dataDir, port })).rejects.toMatchObject({ code: 'simulator.port_taken' });
    await (await Simulation.start({ provider: 'genesys', dataDir })).stop();
    await holder.end();
  });

  it('ends with its parent when asked to', async () => {
    const { child } = await spawnSimulator(entry, ['genesys', '--data', dataDir, '--stop-with-parent']);
    const ended = once(child, 'exit');
    child.stdin?.end();
    expect(await ended).toEqual([0, null]);
  });
});

async function tokenAt(url: string): Promise<string> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret' });
  const answer = await fetch(url + tokenPaths.techone, { method: 'POST', body });
  return ((await answer.json()) as { readonly access_token: string }).access_token;
}
