import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cityTime, readServiceRequests, toEvent, type ServiceRequest } from './service-request.js';

async function read(text: string): Promise<{ rows: ServiceRequest[]; unusable: string[] }> {
  const file = join(mkdtempSync(join(tmpdir(), 'rows-')), 'rows.csv');
  writeFileSync(file, text);
  const unusable: string[] = [];
  const rows: ServiceRequest[] = [];
  for await (const row of readServiceRequests(file, (line, why) => unusable.push(`${line}: ${why}`))) rows.push(row);
  return { rows, unusable };
}

describe('a service request becomes an event', () => {
  it('keeps the request number as id and the address as subject', async () => {
    const { rows } = await read('SRNumber,CreatedDate,RequestType,RequestSource,Address\n1-1,12/31/2017 11:59:58 PM,Bulky Items,Call,"6122 E MESA AVE, 90042"\n');
    const event = toEvent(rows[0] as ServiceRequest, '/demo');
    expect(event).toMatchObject({ id: '1-1', subject: '6122 E MESA AVE, 90042', time: '2017-12-31T23:59:58-08:00', data: { channel: 'Call', area: null } });
  });

  it('makes an event of a row with missing cells, and names the line of one without a number', async () => {
    const { rows, unusable } = await read('SRNumber,CreatedDate,RequestType,RequestSource,Address\n1-2,,,\n,12/31/2017 11:59:58 PM,Graffiti,Call,X\n');
    expect(rows).toHaveLength(1);
    expect(toEvent(rows[0] as ServiceRequest, '/demo')).not.toHaveProperty('subject');
    expect(unusable).toEqual(['3: it has no SRNumber']);
  });

  it.each([
    ['12/31/2017 12:00:00 AM', '2017-12-31T00:00:00-08:00'],
    ['07/01/2017 12:30:00 PM', '2017-07-01T12:30:00-07:00'],
    ['31/12/2017 12:00:00 AM', null],
    ['', null],
  ])('reads the city time %j as %j', (text, expected) => {
    expect(cityTime(text)).toBe(expected);
  });

  it('refuses a file that is no CSV with its name', async () => {
    await expect(read('SRNumber,"Created\nDate')).rejects.toMatchObject({ code: 'command.usage' });
  });

  it.each(['/nonexistent/rows.csv', tmpdir()])('refuses %s in words', async (file) => {
    const rows = readServiceRequests(file, () => undefined);
    await expect(rows.next()).rejects.toMatchObject({ code: 'command.usage' });
  });
});
