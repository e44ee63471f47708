import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { commandLineOf } from '@trunkline/local-services';
import { Platform } from '../support/platform.js';

jest.setTimeout(300_000);

const binary = resolve(__dirname, '..', '..', 'apps', 'trunkline', 'bin', 'trunkline.mjs');
const platform = new Platform();
const state = join(platform.folder, 'state');

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function trunkline(words: readonly string[], { environment = {}, input }: { environment?: Record<string, string>; input?: string } = {}): Promise<Ran> {
  const { TRUNKLINE_URL: _url, TRUNKLINE_API_KEY: _key, ...inherited } = process.env;
  return new Promise((done) => {
    const child = execFile(process.execPath, [binary, ...words], { env: { ...inherited, TRUNKLINE_STATE: state, NO_COLOR: '1', ...environment } }, (error, out, err) => done({ status: error === null ? 0 : Number(error.code), out, err }));
    // A command that asks for nothing may have ended before anything could be written to it.
    if (input === undefined) child.stdin?.destroy();
    else child.stdin?.end(input);
  });
}

beforeAll(async () => {
  platform.start(['--rate', '0.01']);
  await platform.until(() => platform.output.includes('Stop: Ctrl-C'), 'the platform being open');
});

afterAll(() => platform.remove());

const event = ['send-event', 'conversation_ended', '--set', 'conversation_id=c1', '--set', 'address=1 Harbour St'];

describe('the command line against a running platform', () => {
  it('finds it by dev.json, which only its owner may read', async () => {
    const dev = JSON.parse(readFileSync(join(state, 'dev.json'), 'utf8'));
    expect(statSync(join(state, 'dev.json')).mode & 0o777).toBe(0o600);
    expect(dev).toEqual({ gateway: expect.stringMatching(/^http:/), organisationId: expect.any(String), apiKey: expect.stringMatching(/^tl_/), simulators: { genesys: expect.any(Object), techone: expect.any(Object), salesforce: expect.any(Object) }, databaseUrl: expect.stringMatching(/^postgres:/), owner: { email: expect.stringContaining('@'), password: expect.any(String) } });
  });

  it('sends an event, waits, and draws the three steps with the provider\'s request ids', async () => {
    const { status, out } = await trunkline([...event, '--wait']);
    expect({ status, out }).toEqual({ status: 0, out: expect.stringMatching(/genesys log_conversation[\s\S]*request [0-9a-f-]+[\s\S]*techone create_job\) → WR-\d+[\s\S]*salesforce push_summary/) });
  });

  it('takes the data from stdin and fields by path', async () => {
    const { status, out } = await trunkline(['send-event', 'conversation_ended', '-f', '-', '--set', 'contact.name=Ann', '--id', 'x1', '--output', 'json'], { input: '{"conversation_id":"c2","contact":{"id":"r9"}}' });
    expect(status).toBe(0);
    const again = await trunkline(['send-event', 'conversation_ended', '-f', '-', '--set', 'contact.name=Ann', '--id', 'x1', '--output', 'json'], { input: '{"conversation_id":"c2","contact":{"id":"r9"}}' });
    expect(again.out).toBe(out);
  });

  it('keeps data on stdout and chatter on stderr', async () => {
    const { out, err } = await trunkline(['runs', 'list', '--limit', '1', '--output', 'ndjson']);
    expect(Object.keys(JSON.parse(out))).toEqual(expect.arrayContaining(['run_id', 'state', 'steps']));
    expect(err).toBe('');
    const empty = await trunkline(['dead-letters', 'list']);
    expect(empty).toMatchObject({ status: 0, out: '', err: expect.stringContaining('Nothing is dead-lettered') });
  });

  it('pages', async () => {
    await trunkline([...event, '--count', '3', '--rate', '100']);
    const first = await trunkline(['runs', 'list', '--limit', '2']);
    const cursor = /--after (\S+)/.exec(first.err)?.[1] ?? '';
    const second = await trunkline(['runs', 'list', '--limit', '2', '--after', cursor, '--output', 'json']);
    const ids = (JSON.parse(second.out) as { run_id: string }[]).map((run) => run.run_id);
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) expect(first.out).not.toContain(id);
  });

  it('pauses an integration, holds its work with the reason, and lets it go on', async () => {
    const listed = await trunkline(['integrations', 'list', '--output', 'json']);
    const techone = (JSON.parse(listed.out) as { id: string; provider: string }[]).find((integration) => integration.provider === 'techone')?.id ?? '';
    expect((await trunkline(['integrations', 'pause', techone])).status).toBe(0);
    // A pause reaches every ledger within a second.
    let held: Ran = { status: 0, out: '', err: '' };
    await platform.until(async () => (held = await trunkline([...event, '--wait', '--timeout', '2'])).status === 1 && /ready\s+techone[^\n]*paused/.test(held.out), 'an event being held, with the reason', 60_000);
    expect((await trunkline(['integrations', 'resume', techone])).status).toBe(0);
    const runId = /Run (\S+):/.exec(held.out)?.[1] ?? '';
    await platform.until(async () => (await trunkline(['runs', 'show', runId])).out.includes(': done'), 'the held run being done', 60_000);
  });

  it('tests an integration by really calling the provider', async () => {
    const listed = await trunkline(['integrations', 'list', '--output', 'json']);
    for (const { id } of JSON.parse(listed.out) as { id: string }[]) expect(await trunkline(['integrations', 'test', id])).toMatchObject({ status: 0, out: expect.stringContaining('✓') });
  });

  it('replays a run without writing twice', async () => {
    const sent = await trunkline([...event, '--wait', '--output', 'json']);
    const { run_id: runId } = JSON.parse(sent.out) as { run_id: string };
    expect(await trunkline(['runs', 'replay', runId, '--dry-run'])).toMatchObject({ status: 0, out: expect.stringContaining('nothing was started') });
    const replayed = await trunkline(['runs', 'replay', runId, '--output', 'json']);
    expect(replayed.status).toBe(0);
    expect(JSON.parse(replayed.out)).toMatchObject({ dry_run: false, run_id: expect.any(String) });
  });

  it('reconnects a revoked integration: held work says what to do, and goes on afterwards', async () => {
    const dev = JSON.parse(readFileSync(join(state, 'dev.json'), 'utf8')) as { simulators: { salesforce: { url: string } } };
    const control = (verb: string) => fetch(`${dev.simulators.salesforce.url}/_control/${verb}`, { method: 'POST', body: '{}' });
    const listed = await trunkline(['integrations', 'list', '--output', 'json']);
    const salesforce = (JSON.parse(listed.out) as { id: string; provider: string }[]).find((integration) => integration.provider === 'salesforce')?.id ?? '';
    await control('revoke');
    // On a busy machine three seconds may not lead to the last step.
    let held: Ran = { status: 0, out: '', err: '' };
    await platform.until(async () => (held = await trunkline([...event, '--wait', '--timeout', '3'])).status === 1 && held.out.includes('integrations reconnect'), 'an event being held, with what to do', 60_000);
    const runId = /[Rr]un ([0-9a-f-]{36})/.exec(held.out)?.[1] ?? '';
    expect((await trunkline(['runs', 'show', runId])).out).toContain('integrations reconnect');
    await control('restore');
    expect(await trunkline(['integrations', 'reconnect', salesforce])).toMatchObject({ status: 0, err: expect.stringContaining('Saved') });
    await platform.until(async () => (await trunkline(['runs', 'show', runId])).out.includes(': done'), 'the held run being done', 60_000);
  });

  it('connects an integration by a person\'s sign-in, and disconnects it', async () => {
    const listed = await trunkline(['integrations', 'list', '--output', 'json']);
    const salesforce = (JSON.parse(listed.out) as { id: string; provider: string }[]).find((integration) => integration.provider === 'salesforce')?.id ?? '';
    const child = execFile(process.execPath, [binary, 'integrations', 'connect', salesforce], { env: { ...process.env, TRUNKLINE_STATE: state, NO_COLOR: '1' } });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const [printed = ''] = await new Promise<string[]>((resolve) => child.stdout?.once('data', (data: Buffer) => resolve([String(data).trim()])));
    const sent = await fetch(printed, { redirect: 'manual' });
    const page = await (await fetch(sent.headers.get('location') ?? '')).text();
    child.stdin?.end(`${/[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page)?.[0] ?? ''}\n`);
    expect(await ended).toBe(0);
    expect((await trunkline(['integrations', 'test', salesforce])).out).toContain('✓');
    expect(await trunkline([...event, '--wait'])).toMatchObject({ status: 0 });
    expect(await trunkline(['integrations', 'disconnect', salesforce])).toMatchObject({ status: 0, err: expect.stringContaining('here and at the provider') });
    expect(await trunkline(['integrations', 'reconnect', salesforce])).toMatchObject({ status: 0, err: expect.stringContaining('integrations connect') });
    await saveSettings(salesforce, { sign_in: 'client_credentials' });
    expect(await trunkline([...event, '--wait'])).toMatchObject({ status: 0 });
  });

  /** Back to the way of the demo, for what follows. */
  async function saveSettings(id: string, settings: object): Promise<void> {
    const dev = JSON.parse(readFileSync(join(state, 'dev.json'), 'utf8')) as { gateway: string; apiKey: string };
    const headers = { authorization: `Bearer ${dev.apiKey}`, 'content-type': 'application/json' };
    const read = await fetch(`${dev.gateway}/api/integrations/${id}`, { headers });
    const before = (await read.json()) as { settings: object };
    expect((await fetch(`${dev.gateway}/api/integrations/${id}`, { method: 'PUT', headers: { ...headers, 'if-match': read.headers.get('etag') ?? '' }, body: JSON.stringify({ settings: { ...before.settings, ...settings } }) })).status).toBe(200);
  }

  it('starts a killed database again, and what was accepted goes on', async () => {
    const [pid] = platform.pids().filter((candidate) => commandLineOf(candidate)?.includes('postgres'));
    process.kill(pid ?? 0, 'SIGKILL');
    await platform.until(() => platform.output.includes('starting it again'), 'the database being started again', 60_000);
    await platform.until(async () => (await trunkline([...event, '--wait'])).status === 0, 'an event being done again', 120_000);
    expect(platform.output).not.toMatch(/\n\s+at /);
  });

  it('lists topics and lag', async () => {
    expect((await trunkline(['topics', 'list'])).out).toContain('events.conversation_ended');
    expect((await trunkline(['topics', 'lag'])).out).toMatch(/worker-erp\s+commands\.erp\s+\d+/);
  });

  it('finds everything in order as a doctor', async () => {
    const { out } = await trunkline(['doctor']);
    expect(out).toMatch(/OK\s+database\s+PostgreSQL/);
    expect(out).not.toMatch(/^ FIX/m);
  });

  it.each<[string, readonly string[], number, string]>([
    ['an unknown command', ['nonsense'], 2, '--help'],
    ['an unknown option', ['runs', 'list', '--nonsense'], 2, '--help'],
    ['--set without a value', ['send-event', 'conversation_ended', '--set', 'x'], 2, 'path=value'],
    ['an event that is not valid', ['send-event', 'conversation_ended'], 2, 'GET /api/event-types'],
    ['an unknown event type', ['send-event', 'nonsense_happened'], 2, 'event.type_unknown'],
    ['a run that does not exist', ['runs', 'show', '00000000-0000-4000-8000-000000000000'], 3, '→'],
    ['a file that is not there', ['dev', '--replay', '5', '--file', 'nofile.csv'], 2, 'no such file'],
    ['--exit without --replay', ['dev', '--exit'], 2, '--replay'],
    ['no event at all', ['send-event', 'conversation_ended', '--count', '0'], 2, 'at least 1'],
    ['a redrive of everything by mistake', ['dead-letters', 'redrive'], 2, '--all'],
    ['a format nobody knows', ['runs', 'list', '--output', 'xml'], 2, 'ndjson'],
  ])('ends with the right status and the next thing to try on %s', async (_, words, status, hint) => {
    const ran = await trunkline(words);
    expect({ status: ran.status, err: ran.err }).toEqual({ status, err: expect.stringContaining(hint) });
    expect(ran.err).not.toMatch(/\n\s+at /);
  });

  it('ends with 4 when the key is refused, and with 5 when nobody answers', async () => {
    const dev = JSON.parse(readFileSync(join(state, 'dev.json'), 'utf8')) as { gateway: string };
    expect(await trunkline(['runs', 'list'], { environment: { TRUNKLINE_URL: 'notaurl', TRUNKLINE_API_KEY: 'x' } })).toMatchObject({ status: 2, err: expect.stringContaining('must be an address') });
    expect((await trunkline(['runs', 'list'], { environment: { TRUNKLINE_URL: dev.gateway, TRUNKLINE_API_KEY: 'tl_0000000000000000_wrong' } })).status).toBe(4);
    expect(await trunkline(['runs', 'list'], { environment: { TRUNKLINE_URL: 'http://127.0.0.1:9', TRUNKLINE_API_KEY: 'x' } })).toMatchObject({ status: 5, err: expect.stringContaining('npm start') });
    expect(await trunkline(['runs', 'list'], { environment: { TRUNKLINE_STATE: '/nonexistent' } })).toMatchObject({ status: 5, err: expect.stringContaining('npm start') });
  });

  it('refuses a second platform on the same data, and wiping under a running one', async () => {
    expect(await trunkline(['wipe'])).toMatchObject({ status: 2, err: expect.stringContaining('stop it first') });
    expect(await trunkline(['dev'])).toMatchObject({ status: 2, err: expect.stringContaining('already runs here') });
  });

  it('prints help for every command', async () => {
    for (const words of [[], ['dev'], ['send-event'], ['runs'], ['runs', 'replay'], ['dead-letters', 'redrive'], ['topics', 'lag'], ['integrations'], ['sim'], ['doctor'], ['wipe']]) expect(await trunkline([...words, '--help'])).toMatchObject({ status: 0, out: expect.stringContaining('Usage:') });
  });
});

it('stops cleanly on Ctrl-C, leaves nothing running, and wipes', async () => {
  platform.signal('SIGTERM');
  expect(await platform.exitStatus(60_000)).toBe(0);
  expect(platform.pids()).toEqual([]);
  expect(await trunkline(['wipe'])).toMatchObject({ status: 0, err: expect.stringContaining('Wiped') });
  expect(() => statSync(state)).toThrow('ENOENT');
});
