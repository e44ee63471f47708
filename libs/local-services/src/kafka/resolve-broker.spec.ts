import { resolveBroker } from './resolve-broker.js';

const NAMES = ['KAFKA_BROKERS', 'KAFKA_TEST_SOURCE', 'CI', 'REQUIRE_KAFKA'] as const;

describe('which Kafka the tests use', () => {
  const before = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));

  beforeEach(() => NAMES.forEach((name) => delete process.env[name]));

  afterAll(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  it('is the one named in KAFKA_BROKERS', async () => {
    process.env['KAFKA_BROKERS'] = 'one:9092, two:9092';
    await expect(resolveBroker()).resolves.toMatchObject({ source: 'env', brokers: ['one:9092', 'two:9092'] });
  });

  it('is none, with the reason, where that is asked for', async () => {
    process.env['KAFKA_TEST_SOURCE'] = 'none';
    await expect(resolveBroker()).resolves.toEqual({ source: 'none', reason: 'KAFKA_TEST_SOURCE=none' });
  });

  it.each([['CI', 'true'], ['REQUIRE_KAFKA', '1']])('must exist where %s=%s', async (name, value) => {
    process.env[name] = value;
    process.env['KAFKA_TEST_SOURCE'] = 'none';
    await expect(resolveBroker()).rejects.toMatchObject({ code: 'kafka_local.no_broker' });
  });

  it('is refused when a named one is demanded and none is named', async () => {
    process.env['KAFKA_TEST_SOURCE'] = 'env';
    await expect(resolveBroker()).rejects.toMatchObject({ code: 'kafka_local.no_broker' });
  });
});
