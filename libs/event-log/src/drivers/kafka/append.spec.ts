import { freePort } from '@trunkline/local-services';
import { Appender } from './append.js';
import { kafkajsLibrary as library } from './kafkajs-library.js';
import type { ProducerSession } from './kafka-client.js';
import { settingsOf, type Settings } from './options.js';

/** Nothing listens at the address: the broker is away. */
describe('appending while the broker is away', () => {
  async function appender(options: { readonly appendTimeoutMs: number; readonly waitingBytesLimit?: number }): Promise<Appender> {
    const settings = settingsOf({ brokers: [`127.0.0.1:${await freePort()}`], ...options });
    return new Appender(settings, () => Promise.resolve(4), (topic) => library.openProducer(settings, topic), () => undefined);
  }

  const record = (bytes: number) => ({ key: Buffer.from('k'), value: Buffer.alloc(bytes), headers: [] });

  it('is refused within the time allowed', async () => {
    const away = await appender({ appendTimeoutMs: 300 });
    // Against a timer of the same process, which is late when the process is.
    const tooLate = new Promise((resolve) => setTimeout(resolve, 1_500, 'too late'));
    const refused = away.append('topic', [record(1)]).catch((error: unknown) => error);
    expect(await Promise.race([refused, tooLate])).toMatchObject({ code: 'event_log.unavailable' });
    away.close();
  });

  it('is refused at once when too much is waiting already, and taken again when that is gone', async () => {
    const away = await appender({ appendTimeoutMs: 300, waitingBytesLimit: 10_000 });
    const waiting = away.append('topic', [record(9_000)]);
    await expect(away.append('topic', [record(9_000)])).rejects.toMatchObject({ message: expect.stringContaining('already waiting') });
    await expect(waiting).rejects.toMatchObject({ message: expect.not.stringContaining('already waiting') });
    await expect(away.append('topic', [record(9_000)])).rejects.toMatchObject({ message: expect.not.stringContaining('already waiting') });
    away.close();
  });

  it('goes on with a new session when the one before never answers, not even to being destroyed', async () => {
    // Only the first is given up: the second has all the time that a busy machine may take.
    const timeouts = [100];
    const settings: Settings = { ...settingsOf({ brokers: [] }), get appendTimeoutMs() { return timeouts.shift() ?? 20_000; } };
    const deaf: ProducerSession = { send: () => new Promise(() => undefined), destroy: () => undefined };
    const hearing: ProducerSession = { send: (records) => Promise.resolve(records.map(({ partition }) => ({ partition, baseOffset: 7n, appendedAtMs: null }))), destroy: () => undefined };
    const sessions = [deaf, hearing];
    const appending = new Appender(settings, () => Promise.resolve(1), () => sessions.shift() ?? hearing, () => undefined);
    await expect(appending.append('topic', [record(1)])).rejects.toMatchObject({ code: 'event_log.unavailable' });
    await expect(appending.append('topic', [record(1)])).resolves.toEqual([{ partition: 0, offset: 7n }]);
    appending.close();
  });

  it('refuses a record that no topic takes before it joins a batch', async () => {
    const away = await appender({ appendTimeoutMs: 300 });
    await expect(away.append('topic', [record(5_000_000)])).rejects.toMatchObject({ code: 'event_log.record_too_large' });
    away.close();
  });
});
