import { isPostgresCommit, type FaultProxy } from '@trunkline/local-services';
import { councilEvent } from '../support/service-requests.js';
import { tellFigure } from './figures.js';
import { ProxiedSystem } from './proxied-system.js';
import { faultSeconds } from './seconds.js';

const lastsSeconds = faultSeconds(2);
/** Each kind of cut has to come about at least once, however busy the machine is; it ends as soon as they have. */
const graceMs = 60_000;
const restMs = 250;
jest.setTimeout((lastsSeconds + 600) * 1_000);

/** Matches the end of transactions in which this prepared statement was used. */
function commitAfter(statement: string): (request: Buffer) => boolean {
  let isBegun = false;
  return (request) => {
    if (request.includes(`\0${statement}\0`)) isBegun = true;
    return isBegun && isPostgresCommit(request);
  };
}

/** Transactions of one statement, which end with it; a record alone is appended by a statement of its own name. */
const appends = (request: Buffer): boolean => /\0event_log\.append(-one)?\0/.test(request.toString('latin1'));
const claims = (request: Buffer): boolean => request.includes('\0insert-intents\0');

/** Whether a commit was made is not known to whoever hears no answer: cut before it arrives, it was not; cut behind it, it was. */
describe('a connection that is cut at the commit', () => {
  let system: ProxiedSystem | undefined;

  beforeAll(async () => {
    system = await ProxiedSystem.start();
  });

  afterAll(() => system?.end());

  /** Cuts again and again, by turns before and behind the commit, until told to stop. */
  function keepCutting(proxy: FaultProxy, matcher: () => (request: Buffer) => boolean): { stop(): void; readonly count: { lose: number; drop: number } } {
    const count = { lose: 0, drop: 0 };
    let isStopped = false;
    const next = (kind: 'lose' | 'drop'): void => {
      const matches = matcher();
      void proxy.failNextResponse(kind, (request) => !isStopped && matches(request)).then(() => {
        count[kind] += 1;
        if (!isStopped) setTimeout(next, restMs, kind === 'drop' ? 'lose' : 'drop');
      });
    };
    next('drop');
    return { stop: () => (isStopped = true), count };
  }

  it('between the ledger, the log or a worker\'s intents and PostgreSQL: nothing is lost, nothing is doubled', async () => {
    if (system === undefined) throw new Error('not started');
    const { gateway, proxies } = system;
    const cuts = {
      'flush of the ledger': keepCutting(proxies.ledger, () => commitAfter('flush')),
      'append of the gateway': keepCutting(proxies.gateway, () => appends),
      'intents of the workers': keepCutting(proxies.workers, () => claims),
      'commands of the ledger': keepCutting(proxies.ledger, () => appends),
      'results of the workers': keepCutting(proxies.workers, () => appends),
    };
    const eventIds: string[] = [];
    const endsAt = performance.now() + lastsSeconds * 1_000;
    const hasEachHappened = (): boolean => Object.values(cuts).every(({ count }) => count.lose > 0 && count.drop > 0);
    while (performance.now() < endsAt || (!hasEachHappened() && performance.now() < endsAt + graceMs)) {
      const events = Array.from({ length: 5 }, (_, index) => councilEvent(`cut-${eventIds.length + index}`, { subject: `place ${index}` }));
      // Each append of the gateway may be cut in its turn.
      await gateway.publishSurely(events, 90_000);
      eventIds.push(...events.map(({ id }) => id));
      await new Promise((resolve) => setTimeout(resolve, performance.now() < endsAt ? 100 : 500));
    }
    for (const { stop } of Object.values(cuts)) stop();
    await system.untilDone(eventIds.length, 150_000);

    expect(await system.verdict(eventIds)).toEqual({ effects: 3 * eventIds.length, lost: [], doubled: [], outOfOrder: [] });
    const counts = Object.fromEntries(Object.entries(cuts).map(([where, { count }]) => [where, count]));
    tellFigure(`ambiguous COMMIT, ${lastsSeconds} s, ${eventIds.length} events (drop: made but not answered, lose: never arrived)`, JSON.stringify(counts));
    expect(Object.entries(counts).filter(([, { lose, drop }]) => lose === 0 || drop === 0)).toEqual([]);
  });
});
