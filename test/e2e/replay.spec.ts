import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Platform } from '../support/platform.js';

jest.setTimeout(600_000);

const drivers: readonly { readonly name: string; readonly words: readonly string[] }[] = [
  { name: 'the log in PostgreSQL', words: [] },
  { name: 'Apache Kafka', words: ['--kafka', 'local'] },
];

describe.each(drivers)('500 real rows over $name', ({ words }) => {
  let platform: Platform;

  beforeEach(() => {
    platform = new Platform();
  });

  afterEach(() => platform.remove());

  it('make 1,500 effects: none lost, none doubled, none out of order; the same rows again change nothing', async () => {
    platform.start([...words, '--replay', '500', '--exit', '--output', 'json']);
    expect({ status: await platform.exitStatus(), output: platform.output }).toMatchObject({ status: 0 });
    expect(platform.summary()).toMatchObject({ accepted: 500, done: 500, effects: 1500, lost: 0, duplicates: 0, outOfOrder: 0, parked: 0, deadLettered: 0 });

    platform.start([...words, '--replay', '500', '--exit', '--output', 'json']);
    expect(await platform.exitStatus()).toBe(0);
    expect(platform.summary()).toMatchObject({ accepted: 500, effects: 1500, lost: 0, duplicates: 0, outOfOrder: 0 });
  });

  it('survive kill -9 of everything in the middle', async () => {
    for (let turn = 1; ; turn += 1) {
      platform.start([...words, '--replay', '500', '--exit', '--output', 'json']);
      await platform.until(() => /replayed [1-9]\d* of 500/.test(platform.output), 'the replay being under way');
      if ((await platform.killAll()) >= 5) break;
      // This process stood still until there was no middle any more.
      expect(turn).toBeLessThan(4);
      await platform.remove();
      platform = new Platform();
    }

    platform.start([...words, '--replay', '500', '--exit', '--output', 'json']);
    expect({ status: await platform.exitStatus(), output: platform.output }).toMatchObject({ status: 0 });
    expect(platform.summary()).toMatchObject({ accepted: 500, effects: 1500, lost: 0, duplicates: 0, outOfOrder: 0 });
  });
});

describe('200 real rows over Apache Kafka', () => {
  it('go through either client, and the second goes on where the first was', async () => {
    const platform = new Platform();
    try {
      for (const [client, rows] of [['platformatic', 100], ['kafkajs', 200]] as const) {
        platform.start(['--kafka', 'local', '--replay', `${rows}`, '--exit', '--output', 'json'], { KAFKA_CLIENT: client });
        expect({ status: await platform.exitStatus(), output: platform.output }).toMatchObject({ status: 0 });
        expect(platform.summary()).toMatchObject({ accepted: rows, effects: 3 * rows, lost: 0, duplicates: 0, outOfOrder: 0, parked: 0, deadLettered: 0 });
      }
    } finally {
      await platform.remove();
    }
  });
});

describe('the order of one subject', () => {
  it('is seen to be broken when the step no longer promises it', async () => {
    const platform = new Platform();
    try {
      platform.start(['--replay', '300', '--exit', '--output', 'json', '--ordering', 'none', '--file', fewPlaces(platform.folder, 300)]);
      expect(await platform.exitStatus()).toBe(1);
      expect(platform.summary().outOfOrder).toBeGreaterThan(0);
    } finally {
      await platform.remove();
    }
  });
});

/** Contacts about three places only: with many of one subject under way at once, order does not come by itself. */
function fewPlaces(folder: string, count: number): string {
  const file = join(folder, 'few-places.csv');
  const rows = Array.from({ length: count }, (_, index) => `1-9${String(index).padStart(6, '0')},12/31/2017 11:59:58 PM,Bulky Items,Call,"${index % 3} HARBOUR ST"`);
  writeFileSync(file, ['SRNumber,CreatedDate,RequestType,RequestSource,Address', ...rows].join('\n'));
  return file;
}
