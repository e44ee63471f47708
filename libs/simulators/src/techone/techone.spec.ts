import { Simulation } from '../testing/simulation.js';
import type { Answer, Loose } from '../testing/simulation.js';
import { FilterSyntax, fieldsOf, matches, parseFilter, requiredValue } from './filter.js';

const base = '/T1Default/CiAnywhere/Web/COUNCIL';
const save = `${base}/Api/WS/v1/WorkRequest/Save`;

describe('TechnologyOne simulator', () => {
  let techone: Simulation;

  beforeEach(async () => {
    techone = await Simulation.start({ provider: 'techone' });
  });
  afterEach(() => techone.end());

  const create = (item: object): Promise<Answer> => techone.ask('POST', save, { Items: [{ WorkRequestSystemName: 'F1.WR', ...item }] });
  const report = (filter: string, more = ''): Promise<Answer> => techone.ask('GET', `${base}/Api/RaaS/v1/CONNECTOR_REQUESTS?q=${encodeURIComponent(filter)}${more}`);

  it('gives a token by form, with or without expires_in', async () => {
    expect((await techone.askForToken()).json).toMatchObject({ token_type: 'Bearer', expires_in: 1_800 });
    await techone.control('PUT', '/settings', { options: { sendsExpiresIn: false } });
    const answer = await techone.askForToken();
    expect(answer.status).toBe(200);
    expect(answer.json['expires_in']).toBeUndefined();
  });

  it('takes the token with or without a prefix, as the tenant is set', async () => {
    await techone.control('PUT', '/settings', { options: { authPrefix: 'bare' } });
    expect((await report('')).status).toBe(401);
    expect((await techone.ask('GET', '/Api/RaaS/v1/CONNECTOR_REQUESTS', undefined, { authorization: techone.token })).status).toBe(200);
  });

  it('numbers work requests and journals our reference from the user field', async () => {
    const created = await create({ Description: 'Missed bin', Userfield1Alpha: 'key-1' });
    expect(created.json).toMatchObject({ Items: [{ WorkRequestNumber: 'WR-000001', Status: 'O' }], Messages: [] });
    const entries = await techone.journal();
    expect(entries).toMatchObject([{ seq: 1, provider: 'techone', operation: 'saveWorkRequest', kind: 'created', recordId: 'WR-000001', effectReference: 'key-1', body: { Description: 'Missed bin' } }]);
    await create({ WorkRequestNumber: 'WR-000001', Status: 'C' });
    expect(await techone.journal()).toMatchObject([{}, { kind: 'updated', recordId: 'WR-000001', effectReference: 'key-1' }]);
  });

  it('has no idempotency: the same reference twice is two work requests', async () => {
    await Promise.all([create({ Description: 'a', Userfield1Alpha: 'twice' }), create({ Description: 'a', Userfield1Alpha: 'twice' })]);
    expect((await report('Userfield1Alpha = "twice"')).json['TotalRecordCount']).toBe(2);
  });

  it('refuses in the body of a 200', async () => {
    const refused = await create({ Details: 'no description' });
    expect(refused.status).toBe(200);
    expect(refused.json).toMatchObject({ Items: [], Messages: [{ NotificationType: 'Error', Message: expect.stringContaining('Description') }] });
    expect(await techone.journal()).toHaveLength(0);
    const warned = await create({ Description: 'x'.repeat(300) });
    expect(warned.json).toMatchObject({ Messages: [{ NotificationType: 'Warning' }] });
  });

  it('shows a write to reports only after the search lag on its own clock', async () => {
    await techone.control('PUT', '/settings', { searchLagMs: 600_000 });
    await create({ Description: 'Hidden', Userfield1Alpha: 'lag' });
    expect((await report('Userfield1Alpha = "lag"')).json).toMatchObject({ DataSet: [], TotalRecordCount: 0 });
    await techone.control('POST', '/clock', { advanceMs: 540_000 });
    expect((await report('Userfield1Alpha = "lag"')).json['TotalRecordCount']).toBe(0);
    await techone.control('POST', '/clock', { advanceMs: 60_000 });
    expect((await report('Userfield1Alpha = "lag"')).json).toMatchObject({ DataSet: [{ WorkRequestNumber: 'WR-000001', Userfield1Alpha: 'lag' }], TotalRecordCount: 1 });
    await create({ WorkRequestNumber: 'WR-000001', Description: 'Changed' });
    expect((await report('Userfield1Alpha = "lag"')).json).toMatchObject({ DataSet: [{ Description: 'Hidden' }] });
  });

  it('pages rows in no useful order, each once', async () => {
    for (let index = 0; index < 25; index += 1) await create({ Description: `Job ${index}`, Userfield1Alpha: `p-${index}` });
    const pages = [];
    for (const page of [1, 2, 3]) pages.push((await report('WorkRequestNumberInternal > 5', `&page=${page}&pageSize=8`)).json);
    expect(pages).toMatchObject([{ TotalRecordCount: 20 }, { TotalRecordCount: 20 }, { TotalRecordCount: 20 }]);
    const numbers = pages.flatMap((page) => (page['DataSet'] as Loose).map((row) => String(row['WorkRequestNumber'])));
    expect(new Set(numbers).size).toBe(20);
    expect(numbers).not.toEqual(numbers.toSorted());
  });

  it('leaves out a column the council forgot, and refuses a filter on it', async () => {
    await techone.control('PUT', '/settings', { options: { omittedColumns: ['Userfield1Alpha'] } });
    await create({ Description: 'a', Userfield1Alpha: 'x' });
    expect(Object.keys(((await report('')).json['DataSet'] as { readonly [index: number]: object })[0] ?? {})).not.toContain('Userfield1Alpha');
    expect((await report('Userfield1Alpha = "x"')).json).toMatchObject({ Messages: [{ NotificationType: 'Error' }] });
  });

  it('may answer with the login page instead, as a fault', async () => {
    await techone.control('POST', '/faults', { match: { operation: 'saveWorkRequest' }, html: true, times: 1 });
    const page = await create({ Description: 'lost' });
    expect([page.status, page.headers.get('content-type'), page.text.startsWith('<!DOCTYPE html>')]).toEqual([200, 'text/html; charset=utf-8', true]);
    expect(await techone.journal()).toHaveLength(0);
  });

  it('knows only what is known of it', async () => {
    expect((await techone.ask('POST', `${base}/Api/WS/v1/CustomerRequest/Save`, { Items: [{}] })).status).toBe(404);
    expect((await techone.ask('GET', `${base}/Api/RaaS/v1/NO_SUCH_REPORT`)).status).toBe(404);
    expect((await techone.control('GET', '/stats')).json['unknownRoutes']).toBe(1);
  });
});

describe('TechnologyOne limits', () => {
  let techone: Simulation;

  beforeEach(async () => {
    techone = await Simulation.start({ provider: 'techone', limits: 'vendor' });
  });
  afterEach(() => techone.end());

  it('allows 60 calls a minute and two at once', async () => {
    const ask = (): Promise<Answer> => techone.ask('GET', '/Api/RaaS/v1/CONNECTOR_REQUESTS');
    // Late for longer each time: all three have to arrive before the first is answered, also where the machine stands still meanwhile.
    let made = 0;
    let three: readonly number[] = [];
    for (const latencyMs of [1_000, 4_000, 12_000]) {
      await techone.control('PUT', '/settings', { latencyMs });
      three = (await Promise.all([ask(), ask(), ask()])).map(({ status }) => status).toSorted();
      made += three.filter((status) => status === 200).length;
      if (three.at(-1) === 429) break;
    }
    expect(three).toEqual([200, 200, 429]);
    await techone.control('PUT', '/settings', { latencyMs: 0 });
    for (let call = made; call < 60; call += 1) expect((await ask()).status).toBe(200);
    const refused = await ask();
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true]);
    await techone.control('POST', '/clock', { advanceMs: 60_000 });
    expect((await ask()).status).toBe(200);
  });
});

describe('report filter', () => {
  const row = { Field: 'x', Other: 6, Text: 'say "hi"', At: '2026-11-20T10:00:00.000' };
  const holds = (text: string): boolean => {
    const filter = parseFilter(text);
    return filter === undefined || matches(filter, row);
  };

  it.each([
    ['Field = "x" and Other > 5', true],
    ['Field = "x" and Other > 6', false],
    ['Field = "y" or (Other >= 6 and Field <> "z")', true],
    ['Text = "say ""hi"""', true],
    ['At >= "2026-11-20T09:00:00"', true],
    ["Field = 'x'", true],
    ['Text like "say%"', true],
    ['', true],
  ])('%s', (text, expected) => {
    expect(holds(text)).toBe(expected);
  });

  it('names its fields, and the value an index can use', () => {
    const filter = parseFilter('Userfield1Alpha = "k" and Other > 5');
    expect(filter && fieldsOf(filter)).toEqual(['Userfield1Alpha', 'Other']);
    expect(filter && requiredValue(filter, 'Userfield1Alpha')).toBe('k');
  });

  it.each(['Field =', 'Field "x"', '(Field = "x"', 'Field = "x" Other', 'Field = "x', '= 5'])('refuses %s', (text) => {
    expect(() => parseFilter(text)).toThrow(FilterSyntax);
  });
});
