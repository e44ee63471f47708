import type { FailpointName } from '@trunkline/failpoints';
import { until } from '../support/until.js';
import { patienceMs } from './patience.js';
import type { Plant, Service } from './plant.js';
import type { OnceFigures, Stage } from './stage.js';

export interface Death {
  readonly point: FailpointName;
  readonly nth?: number;
  /** Leads there, once the process lives that is to die; what it was doing before may lead there as well. */
  readonly act?: (stage: Stage, plant: Plant) => Promise<void>;
  /** What is true at that moment, as the point's name promises. */
  readonly then?: (stage: Stage, plant: Plant) => Promise<void>;
}

export interface Row {
  readonly name: string;
  readonly dies: Service;
  /** One after the other, before the process is left in peace. */
  readonly deaths: readonly Death[];
  /** Of the lives that end at a point. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Of the ledger, where another process dies. */
  readonly ledger?: Readonly<Record<string, string>>;
  /** Before the process is there that is to die. */
  readonly given?: (stage: Stage, plant: Plant) => Promise<void>;
  /** After its last death, before it comes back. */
  readonly afterwards?: (stage: Stage, plant: Plant) => Promise<void>;
  /** When every run has ended. */
  readonly inTheEnd?: (stage: Stage, plant: Plant) => Promise<void>;
  /** What becomes of the two steps that may not be repeated, in the end; `done` by default. */
  readonly once?: (figures: OnceFigures) => void;
}

const publish = (stage: Stage): Promise<void> => stage.publish();
/** In doubt: parked for a person, with the effects that were made before the death. */
const allParkedWritten = ({ done, parked, written }: OnceFigures): void => expect({ done, parked: parked > 0, written }).toEqual({ done: 0, parked: true, written: parked });
const someParkedUnwritten = ({ parked, written }: OnceFigures): void => expect({ isSomeParked: parked > 0, written }).toEqual({ isSomeParked: true, written: 0 });
/** Depends on which of them had begun; those in doubt were not written. */
const doneOrParkedUnwritten = ({ written }: OnceFigures): void => expect(written).toBe(0);
const nothingWrittenOrStored = async (stage: Stage): Promise<void> => expect({ written: stage.written, version: (await stage.grant())?.version }).toEqual({ written: 0, version: 1 });
/** Depends on which of them had begun; what is wrong in every case is found elsewhere. */
const doneOrParked = ({ parked, written }: OnceFigures): void => expect(written).toBeLessThanOrEqual(parked);

/** Sends the events while the gateway is going to die over them: the publisher hears nothing. */
const publishInVain = async (stage: Stage): Promise<void> => {
  await expect(stage.client.publish(stage.write())).rejects.toThrow();
};

const isDurable = async (stage: Stage): Promise<boolean> => {
  await until('the runs of what was accepted', async () => (await stage.runs()).length === stage.events.length, patienceMs);
  return true;
};

/** One of each kind is in flight, and has had its effect, when the first answer comes. A gate lets no more than four through to a provider that it does not know yet. */
const publishAndAnswerAtOnce = async (stage: Stage, plant: Plant): Promise<void> => {
  await publishAndHold(stage, plant);
  await until('all first writes in flight', () => plant.server.inFlight >= firstWrites, patienceMs, 5);
  plant.server.release();
};
const publishAndHold = async (stage: Stage, { server }: Plant): Promise<void> => {
  server.hold('written', { goesOn: true });
  await stage.publish({ chains: 1, onces: 1 });
};
const firstWrites = 4;

/** Calls that take longer than the worker waits for are handed over; they end after its death. */
const letGo = async (_stage: Stage, { server }: Plant): Promise<void> => server.release();
const quickHandOver = { HAND_OVER_MS: '600' };
const quickSweep = { START_WITHIN_MS: '1000' };
const soonSwept = { START_WITHIN_MS: '3000' };

export const gatewayRows: readonly Row[] = [
  {
    name: 'gateway.beforeProduce: nothing was accepted, and the repeat is',
    dies: 'gateway',
    deaths: [{ point: 'gateway.beforeProduce', act: publishInVain, then: async (stage) => expect(await stage.runs()).toEqual([]) }],
    afterwards: async (stage) => expect(await stage.runs()).toEqual([]),
    inTheEnd: publish,
  },
  {
    name: 'gateway.afterProduce: events go their way without an answer, and the repeat is known',
    dies: 'gateway',
    deaths: [{ point: 'gateway.afterProduce', act: publishInVain, then: async (stage) => expect(await isDurable(stage)).toBe(true) }],
    inTheEnd: publish,
  },
  {
    name: 'log.afterAppend in the gateway: the same',
    dies: 'gateway',
    deaths: [{ point: 'log.afterAppend', act: publishInVain, then: async (stage) => expect(await isDurable(stage)).toBe(true) }],
    inTheEnd: publish,
  },
  {
    name: 'verbs.afterReplay: the repeat under the same key answers with the same run',
    dies: 'gateway',
    given: async (stage) => {
      await stage.publish();
      await stage.untilEnded();
    },
    deaths: [{ point: 'verbs.afterReplay', act: (stage) => expect(replayOf(stage)).rejects.toThrow(), then: async (stage) => expect(await stage.count('runs', 'root_run_id <> run_id')).toBe(1) }],
    inTheEnd: async (stage) => {
      const answer = await replayOf(stage);
      expect(answer.status).toBe(202);
      await until('the end of the replay', async () => (await stage.count('runs', `root_run_id <> run_id and state = 'done'`)) === 1, patienceMs);
      expect(await stage.count('runs', 'root_run_id <> run_id')).toBe(1);
      expect(await stage.count('runs', `run_id = '${String(answer.json['run_id'])}'`)).toBe(1);
    },
  },
];

function replayOf(stage: Stage): ReturnType<Stage['client']['ask']> {
  const runId = stage.receipts.get(stage.events[0]?.id ?? '') ?? '';
  return stage.client.ask('POST', `/api/runs/${runId}/replay`, { version: 'pinned' }, { 'idempotency-key': `replay-${runId}` });
}

export const ledgerRows: readonly Row[] = [
  {
    name: 'ledger.beforeCommit: as if the batch had never been read',
    dies: 'ledger',
    deaths: [{ point: 'ledger.beforeCommit', act: publish, then: async (stage) => expect(await stage.runs()).toEqual([]) }],
  },
  {
    name: 'ledger.afterCommit, outbox.afterLease, outbox.afterResend: commands are sent by whoever comes next, twice at worst',
    dies: 'ledger',
    deaths: [
      { point: 'ledger.afterCommit', act: publish, then: async (stage, plant) => expect({ isPlanned: (await stage.runs()).length > 0, isUnsent: (await stage.unsent()) > 0, commands: await plant.commandsOf(stage) }).toEqual({ isPlanned: true, isUnsent: true, commands: [] }) },
      { point: 'outbox.afterLease', then: async (stage, plant) => expect({ isUnsent: (await stage.unsent()) > 0, commands: await plant.commandsOf(stage) }).toEqual({ isUnsent: true, commands: [] }) },
      { point: 'outbox.afterResend', then: async (stage, plant) => expect({ isUnsent: (await stage.unsent()) > 0, areCommands: (await plant.commandsOf(stage)).length > 0 }).toEqual({ isUnsent: true, areCommands: true }) },
    ],
  },
  {
    name: 'ledger.afterSend: commands go out again, and have one effect',
    dies: 'ledger',
    deaths: [{ point: 'ledger.afterSend', act: publish, then: async (stage, plant) => expect({ isUnsent: (await stage.unsent()) > 0, areCommands: (await plant.commandsOf(stage)).length > 0 }).toEqual({ isUnsent: true, areCommands: true }) }],
  },
  { name: 'log.beforePositions in the ledger: records come again and change nothing', dies: 'ledger', deaths: [{ point: 'log.beforePositions', act: publish, then: async (stage) => expect((await stage.runs()).length).toBeGreaterThan(0) }] },
  { name: 'log.afterPositions in the ledger: nothing that was passed is needed again', dies: 'ledger', deaths: [{ point: 'log.afterPositions', act: publish, then: async (stage) => expect((await stage.runs()).length).toBeGreaterThan(0) }] },
  {
    name: 'ledger.afterDueClaim: what was claimed is due again',
    dies: 'ledger',
    given: (_stage, { provider }) => provider.fault({ match: { path: '/keyed' }, status: 503, times: 2 }),
    deaths: [{ point: 'ledger.afterDueClaim', act: publish, then: async (stage) => expect(await stage.count('due_work', `kind <> 'gate'`)).toBeGreaterThan(0) }],
  },
  {
    name: 'ledger.afterBacklogLease: steps behind a gate are leased again',
    dies: 'ledger',
    given: (stage) => stage.verbs.pause(stage.organisationId, stage.integrationId),
    deaths: [
      {
        point: 'ledger.afterBacklogLease',
        act: async (stage) => {
          await stage.publish();
          await until('steps behind the gate', async () => (await stage.count('due_work', `kind = 'gate'`)) > firstWrites, patienceMs);
          await stage.verbs.resume(stage.organisationId, stage.integrationId);
        },
        then: async (stage) => expect(await stage.count('due_work', `kind = 'gate' and leased_until > clock_timestamp() - interval '30 s'`)).toBeGreaterThan(0),
      },
    ],
  },
  {
    name: 'ledger.afterRedrive: the record goes back again, its letter is neither lost nor doubled',
    dies: 'ledger',
    given: async (stage) => {
      await stage.publish();
      await stage.untilEnded();
      const [first] = stage.events;
      if (first !== undefined) expect((await stage.client.publish([{ ...first, data: { ...first.data, summary: 'Something else' } }])).status).toBe(202);
      await until('the dead letter', async () => (await stage.count('dead_letters')) === 1, patienceMs);
    },
    deaths: [
      {
        point: 'ledger.afterRedrive',
        act: async (stage) => void (await stage.verbs.redrive(stage.organisationId, { filter: {}, dryRun: false, perSecond: null, force: false })),
        then: async (stage) => expect(await stage.count('dead_letters', 'closed_at is null')).toBe(1),
      },
    ],
    inTheEnd: async (stage) => {
      // The publisher's other content under a known id is refused each time it comes back.
      await until('its return', async () => (await stage.count('dead_letters', 'times >= 2 and closed_at is null')) === 1, patienceMs);
      await until('the end of the redrive', async () => (await stage.count('due_work')) === 0, patienceMs);
      expect(await stage.count('dead_letters')).toBe(1);
    },
  },
  {
    name: 'sweeper.afterLease, sweeper.afterVoid, sweeper.beforeForget: commands nobody took are sent again, and not both',
    dies: 'ledger',
    environment: quickSweep,
    given: (_stage, plant) => plant.stop('worker'),
    deaths: [
      { point: 'sweeper.afterLease', act: publish },
      { point: 'sweeper.afterVoid', then: async (stage) => expect(await stage.count('intents')).toBe(0) },
      { point: 'sweeper.beforeForget', then: async (stage) => expect(await stage.count('intents', `state = 'void'`)).toBeGreaterThan(0) },
    ],
    afterwards: (_stage, plant) => plant.replace('worker'),
  },
];

export const workerRows: readonly Row[] = [
  { name: 'worker.afterToken: the token is lost, another is fetched', dies: 'worker', deaths: [{ point: 'worker.afterToken', act: publish, then: async (stage) => expect(stage.written).toBe(0) }], once: doneOrParkedUnwritten },
  {
    name: 'oauth.afterRefreshBeforeStore: recovered by the next process, where the provider has left the old refresh token',
    dies: 'worker',
    given: async (stage, { provider }) => {
      await provider.keepRefreshTokens();
      await stage.signIn(await provider.grant(), true);
    },
    deaths: [{ point: 'oauth.afterRefreshBeforeStore', act: publish, then: nothingWrittenOrStored }],
    inTheEnd: async (stage) => expect(await stage.grant()).toMatchObject({ state: 'connected', version: 2 }),
    once: doneOrParkedUnwritten,
  },
  {
    name: 'oauth.afterRefreshBeforeStore: parked with its reason, where the new refresh token died with the process; held work goes on once somebody has signed in again',
    dies: 'worker',
    given: async (stage, { provider }) => stage.signIn(await provider.grant(), true),
    deaths: [{ point: 'oauth.afterRefreshBeforeStore', act: publish, then: nothingWrittenOrStored }],
    afterwards: async (stage, plant) => {
      const before = await plant.provider.refreshes();
      await plant.replace('worker');
      await until('the grant parked', async () => (await stage.grant())?.state === 'reconnect', patienceMs);
      await until('the gate closed', async () => (await stage.reader.query(`select from gates where reason = 'reconnect' and organisation_id = $1`, [stage.organisationId])).length > 0, patienceMs);
      expect({ grant: await stage.grant(), asked: (await plant.provider.refreshes()) - before, written: stage.written }).toMatchObject({ grant: { reason: 'refresh_lost' }, asked: 1, written: 0 });
      await stage.signIn(await plant.provider.grant(), false);
    },
    once: doneOrParkedUnwritten,
  },
  {
    name: 'worker.afterIntent: who finds the intent does not call',
    dies: 'worker',
    deaths: [{ point: 'worker.afterIntent', act: (stage) => stage.publish({ chains: 0 }), then: async (stage) => expect({ isOpen: (await stage.count('intents', `state = 'open'`)) > 0, written: stage.written }).toEqual({ isOpen: true, written: 0 }) }],
    once: someParkedUnwritten,
  },
  { name: 'worker.beforeHttp: nothing has left, and nobody can know', dies: 'worker', deaths: [{ point: 'worker.beforeHttp', act: publish, then: async (stage) => expect(stage.written).toBe(0) }], once: doneOrParkedUnwritten },
  {
    name: 'worker.afterHttp: keys and upserts are sent again, searched ones are found, the others wait for a person',
    dies: 'worker',
    deaths: [{ point: 'worker.afterHttp', act: publishAndAnswerAtOnce, then: async (stage, plant) => expect({ written: stage.written, results: await plant.resultsOf(stage) }).toEqual({ written: firstWrites, results: [] }) }],
    once: allParkedWritten,
  },
  {
    name: 'worker.beforeResult: the same, however many answers were at hand',
    dies: 'worker',
    deaths: [{ point: 'worker.beforeResult', act: publishAndAnswerAtOnce, then: async (stage, plant) => expect({ written: stage.written, results: await plant.resultsOf(stage) }).toEqual({ written: firstWrites, results: [] }) }],
    once: allParkedWritten,
  },
  {
    name: 'worker.afterResult: results stand, commands that come again add nothing',
    dies: 'worker',
    deaths: [{ point: 'worker.afterResult', act: publishAndAnswerAtOnce, then: async (_stage, plant) => expect((await plant.resultsOf(_stage)).length).toBeGreaterThan(0) }],
    once: doneOrParked,
  },
  { name: 'log.afterAppend in the worker: the same', dies: 'worker', deaths: [{ point: 'log.afterAppend', act: publishAndAnswerAtOnce, then: async (_stage, plant) => expect((await plant.resultsOf(_stage)).length).toBeGreaterThan(0) }], once: doneOrParked },
  { name: 'log.beforePositions in the worker: finished commands come again', dies: 'worker', deaths: [{ point: 'log.beforePositions', act: publishAndAnswerAtOnce, then: async (stage) => expect(stage.written).toBeGreaterThanOrEqual(firstWrites) }], once: doneOrParked },
  {
    name: 'log.afterPositions in the worker: a call that was handed over died with it, and its command does not come again',
    dies: 'worker',
    environment: quickHandOver,
    ledger: soonSwept,
    deaths: [{ point: 'log.afterPositions', act: publishAndHold }],
    afterwards: letGo,
    once: doneOrParked,
  },
  {
    name: 'worker.afterHandover: the row blocks nobody',
    dies: 'worker',
    environment: quickHandOver,
    deaths: [{ point: 'worker.afterHandover', act: publishAndHold, then: async (stage) => expect(await stage.count('handovers')).toBeGreaterThan(0) }],
    afterwards: letGo,
    once: doneOrParked,
  },
  {
    name: 'settle.afterSearch: the look-up is made again',
    dies: 'worker',
    given: (_stage, { provider }) => provider.fault({ match: { path: '/searched', method: 'POST' }, reset: 'after', times: 1 }),
    deaths: [{ point: 'settle.afterSearch', act: publish }],
  },
];
