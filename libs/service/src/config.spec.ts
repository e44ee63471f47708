import { address, choice, flag, integer, list, optional, port, readConfig, text } from './config.js';

const schema = {
  databaseUrl: address('DATABASE_URL', 'where the data is', ['postgres', 'postgresql']),
  httpPort: optional(port('PORT', 'where requests come in'), 8080),
  brokers: optional(list('KAFKA_BROKERS', 'host:port of the brokers', /^[\w.-]+:\d+$/), null),
  log: optional(choice('LOG_LEVEL', 'what is logged', ['info', 'warn']), 'info'),
  strict: optional(flag('STRICT', 'refuse more'), false),
  retentionDays: optional(integer('RETENTION_DAYS', 'how long runs are kept', { min: 1, max: 3650 }), 30),
};

it('reads typed values and fills what may be absent', () => {
  const config = readConfig(schema, { DATABASE_URL: 'postgres://h/d', KAFKA_BROKERS: 'a:9092, b:9092', STRICT: 'YES', PORT: ' ' });
  expect(config).toEqual({ databaseUrl: 'postgres://h/d', httpPort: 8080, brokers: ['a:9092', 'b:9092'], log: 'info', strict: true, retentionDays: 30 });
});

it('names every wrong variable at once, with what it is for, and repeats no value', () => {
  const canary = 'mysql://u:hunter2@h/d';
  expect(() => readConfig(schema, { DATABASE_URL: canary, PORT: '99999', KAFKA_BROKERS: 'a:9092,hunter2', LOG_LEVEL: 'loud', STRICT: 'maybe', RETENTION_DAYS: '1.5' })).toThrow(
    expect.objectContaining({ code: 'config.invalid', facts: { variables: ['DATABASE_URL', 'PORT', 'KAFKA_BROKERS', 'LOG_LEVEL', 'STRICT', 'RETENTION_DAYS'] }, detail: expect.not.stringContaining('hunter2') }),
  );
});

it('says which variable is not set', () => {
  expect(() => readConfig({ key: text('MASTER_KEY', 'the key') }, { MASTER_KEY: '' })).toThrow(/MASTER_KEY \(the key\) is not set/);
});
