import { describeWithLocalKafka } from '@trunkline/local-services';
import { AdminConnection } from './admin-connection.js';
import { startBrokerUnderTest, type BrokerUnderTest } from './broker-under-test.js';
import { settingsOf } from './options.js';

jest.setTimeout(60_000);

describeWithLocalKafka('the connection for questions', () => {
  let broker: BrokerUnderTest;

  beforeAll(async () => {
    broker = await startBrokerUnderTest();
  });

  afterAll(() => broker.stop());

  it('lets a question end although another on it fails meanwhile, and gives the next one a new connection', async () => {
    const connection = new AdminConnection(settingsOf({ brokers: broker.brokers, clientId: 'questions' }));
    const answer = await connection.ask('a long question', async (admin) => {
      await expect(connection.ask('a question that fails', () => Promise.reject(new Error('no answer')))).rejects.toThrow('no answer');
      await expect(connection.ask('the next question', async (next) => next === admin)).resolves.toBe(false);
      return admin.listTopics();
    });
    expect(Array.isArray(answer)).toBe(true);
    connection.close();
  });
});
