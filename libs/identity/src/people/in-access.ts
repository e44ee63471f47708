import type { Databases, Work } from '@trunkline/storage';

/** One transaction on the tables of people and sessions. */
export async function inAccess<T>({ access }: Pick<Databases, 'access'>, work: Work<T>): Promise<T> {
  const client = await access.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken = error;
  };
  // Without a listener a connection that dies between two queries would end the process.
  client.on('error', onError);
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => (broken ??= failure));
    throw error;
  } finally {
    client.removeListener('error', onError);
    client.release(broken);
  }
}
