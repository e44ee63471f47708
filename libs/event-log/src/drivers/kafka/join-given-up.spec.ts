import type { GroupSession } from './kafka-client.js';
import { KafkaMember } from './member.js';
import { settingsOf } from './options.js';
import type { Topics } from './topics.js';

const events = { assigned: () => undefined, revoked: () => Promise.resolve(), deliver: () => undefined, crashed: () => undefined };
const unused = {} as never;

/** Found by `trunkline chaos`: the session went on to join, kept its heartbeat and held partitions that nobody read, for as long as its process lived. */
it('leaves no session behind when a join is given up', async () => {
  const destroyed: string[] = [];
  const session = { start: () => new Promise<void>(() => undefined), destroy: () => void destroyed.push('session'), leave: () => Promise.resolve(), pause: () => undefined, resume: () => undefined, commit: () => Promise.resolve(), lastHeartbeatMs: 0, lastFetchMs: 0, memberId: null } satisfies GroupSession;
  const settings = settingsOf({ brokers: [], sessionTimeoutMs: 10, rebalanceTimeoutMs: 10 });
  const member = new KafkaMember({ group: 'g', topics: ['t'], fetchRecords: 1 }, { name: 'g.1', epoch: 1n } as never, events, settings, { openGroupSession: () => session }, unused, unused as Topics, () => undefined);
  await expect(member.join()).rejects.toMatchObject({ code: 'event_log.unavailable' });
  expect(destroyed).toEqual(['session']);
});
