import type { Spoiling } from './spoiled-build.js';

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7';

/** What happens, in the words of a saved schedule. */
type Happening =
  | { readonly kind: 'kill'; readonly atMs: number; readonly target: string; readonly downMs: number; readonly when?: { readonly provider: string; readonly operation: string; readonly calls: number; readonly afterMs: number } }
  | { readonly kind: 'freeze'; readonly atMs: number; readonly target: string; readonly forMs: number }
  | { readonly kind: 'pause'; readonly atMs: number; readonly council: string; readonly provider: string; readonly forMs: number }
  | { readonly kind: 'provider-fault'; readonly atMs: number; readonly provider: string; readonly fault: string; readonly forMs: number; readonly path?: string };

/** A short run in which a certain fault cannot stay hidden; one without it passes. */
export interface Rehearsal {
  readonly words: readonly string[];
  readonly schedule: readonly Happening[];
}

export interface SeededFault {
  readonly name: string;
  readonly spoilings: readonly Spoiling[];
  readonly shows: Invariant;
  /** Where other checks of the same invariant would find it too: what must be said. */
  readonly says?: string;
  readonly rehearsal: Rehearsal;
  /** Among the few that every `npm test` shows to be found. */
  readonly isQuick?: true;
}

const patient = ['--in-flight', '1', '--start-within', '3000', '--drain-minutes', '1'] as const;
const short = ['--driver', 'postgres', '--events', '120', '--rate', '30', ...patient] as const;

const calm: Rehearsal = { words: short, schedule: [] };
const throttled: Rehearsal = { words: [...short, '--rehearsal-limit', '60'], schedule: [] };

/** Each call in hand is refused for its token and made again, while the limit is used up. */
const expiringTokens: Rehearsal = { words: [...short, '--rehearsal-limit', '60'], schedule: [500, 2_000, 4_000, 8_000, 14_000].map((atMs) => ({ kind: 'provider-fault', atMs, provider: 'rehearsal', fault: 'tokens-expire', forMs: 1_000 })) };

/** Calls are written at once and answered late; as soon as enough wait for their answers, those who made them die. */
const killedWorkers: Rehearsal = killedWhileWaiting('/\\/searched$/', 'writeSearched', 300);
/** The same when the calls have been handed over and their records passed: nothing comes again by itself. */
const killedAfterHandingOver: Rehearsal = killedWhileWaiting('/\\/keyed$/', 'writeKeyed', 3_200);

function killedWhileWaiting(path: string, operation: string, afterMs: number): Rehearsal {
  const kill = (target: string) => ({ kind: 'kill', atMs: 200, target, downMs: 0 }) as const;
  return {
    words: short,
    schedule: [
      { kind: 'provider-fault', atMs: 0, provider: 'rehearsal', fault: 'slow', forMs: 12_000, path },
      { ...kill('crm worker 1'), when: { provider: 'rehearsal', operation, calls: 5, afterMs } },
      kill('crm worker 2'),
    ],
  };
}

/** The same for what may never be repeated: the commands come again, and are found begun. */
const killedInDoubt: Rehearsal = killedWhileWaiting('/\\/once$/', 'writeOnce', 300);

/** Held for longer than a ledger may go by an old look at its gates, under a load that goes on. */
const paused: Rehearsal = { words: ['--driver', 'postgres', '--events', '480', '--rate', '20', ...patient], schedule: [{ kind: 'pause', atMs: 1_000, council: 'beta', provider: 'rehearsal', forMs: 18_000 }] };

/** Each write is done and its answer cut. */
const cutAnswers: Rehearsal = { words: short, schedule: [{ kind: 'provider-fault', atMs: 0, provider: 'rehearsal', fault: 'reset-after-write', forMs: 6_000 }] };

/** What waits in the gateway's memory dies with it. */
const killedGateway: Rehearsal = { words: [...short, '--in-flight', '20'], schedule: [{ kind: 'kill', atMs: 1_500, target: 'gateway', downMs: 0 }] };

/** On Kafka offsets can be committed while the database stands still. */
const frozenDatabase: Rehearsal = {
  words: ['--driver', 'kafka', ...short.slice(2)],
  schedule: [
    { kind: 'freeze', atMs: 800, target: 'database', forMs: 3_000 },
    { kind: 'freeze', atMs: 5_000, target: 'database', forMs: 3_000 },
  ],
};

const execution = 'libs/worker/dist/execution.js';

export const seededFaults: readonly SeededFault[] = [
  {
    name: 'no intent is written before a call',
    spoilings: [{ file: execution, find: 'claim = keepsIntent ? await this.parts.intents.claim(command, decision.kind === \'call\' ? \'open\' : \'void\') : null;', put: 'claim = null;' }],
    shows: 'I2',
    rehearsal: killedWorkers,
  },
  {
    name: 'a call is made although an intent stands open',
    spoilings: [{ file: execution, find: 'if (claim?.kind === \'found\') {', put: 'if (false) {' }],
    shows: 'I2',
    rehearsal: killedWorkers,
  },
  {
    name: 'who finds a step begun says that nothing was written',
    spoilings: [{ file: execution, find: 'if (claim.state === \'void\' || isHarmlessTwice(repeat)) return null;', put: 'if (claim.state !== \'void\') return { answer: { kind: \'transient\', code: \'intent.open\', message: \'\', reached: false }, call: null };' }],
    shows: 'I2',
    says: 'had been begun and came back as transient',
    rehearsal: killedInDoubt,
  },
  {
    name: 'each attempt has an effect key of its own',
    spoilings: [{ file: 'libs/ledger/dist/flush/command.js', find: 'step.id, planned.action),', put: 'step.id, `${planned.action} ${sending.dispatch}`),' }],
    shows: 'I2',
    rehearsal: cutAnswers,
    isQuick: true,
  },
  {
    name: 'a budget grants what is used up',
    spoilings: [
      { file: 'libs/worker/dist/budget.js', find: 'let atMs = Math.max(nowMs, this.closedUntilMs, this.lastGrantMs);', put: 'if (cost > 0) return { kind: \'granted\', grant: { atMs: nowMs, cost, left: 0 } };\n        let atMs = nowMs;' },
      { file: 'libs/worker/dist/budget.js', find: 'if (this.closedUntilMs > nowMs) return false;', put: 'if (grant.cost > 0) return true;' },
    ],
    shows: 'I7',
    rehearsal: throttled,
    isQuick: true,
  },
  {
    name: 'calls made again with a new token are not counted',
    spoilings: [{ file: 'libs/worker/dist/permit.js', find: 'const giveUpAtMs = this.parts.nowMs() + this.parts.maxWaitMs;', put: 'if (this.promised.every(({ grant })=>grant.left === 0)) return send(request);\n        const giveUpAtMs = this.parts.nowMs() + this.parts.maxWaitMs;' }],
    shows: 'I7',
    rehearsal: expiringTokens,
  },
  {
    name: '202 is answered before the event is durable',
    spoilings: [{ file: 'apps/gateway/dist/publish/shared-appends.js', find: 'lane.waiting.push(entry);', put: 'settle(null); setTimeout(() => { lane.waiting.push({ ...entry, isAbandoned: false, settle: () => undefined }); if (!lane.isSending) { lane.isSending = true; void this.send(topic, lane); } }, 2_000);' }],
    shows: 'I1',
    rehearsal: killedGateway,
  },
  {
    name: 'commands are sent before the commit',
    spoilings: [
      { file: 'libs/ledger/dist/flush/engine.js', find: 'new FlushTransaction(this.around, items, sent, isFirst && items.length <= mostInHaste)', put: 'new FlushTransaction(Object.assign(Object.create(this.around), this.around, { sendEarly: (id, written) => this.events.send(id, written.flatMap((decision) => decision.commands)) }), items, sent)' },
      { file: 'libs/ledger/dist/flush/transaction.js', find: 'beforeCommit();\n', put: 'this.around.sendEarly(dispatchId, written); await new Promise((resolve) => setTimeout(resolve, 30));' },
    ],
    shows: 'I3',
    rehearsal: calm,
    isQuick: true,
  },
  {
    name: 'nobody waits for the turn of a subject',
    spoilings: [{ file: 'libs/ledger/dist/flush/admission.js', find: 'if (decision.isOrdered(planned) && !turns.isTurnOf(decision, planned.integrationId)) {', put: 'if (false) {' }],
    shows: 'I3',
    says: 'which comes before it on their subject',
    rehearsal: calm,
  },
  {
    name: 'steps are sent although their gate is closed',
    spoilings: [{ file: 'libs/ledger/dist/flush/admission.js', find: 'const mustWait = gate.facts !== null && (', put: 'const mustWait = false && (' }],
    shows: 'I7',
    says: 'after that had been paused',
    rehearsal: paused,
  },
  {
    name: 'offsets are committed before the work is done',
    spoilings: [{ file: 'libs/event-log/dist/consume/batch-executor.js', find: 'for (const work of batch)work.held.begin(work);', put: 'for (const work of batch) { work.held.begin(work); work.held.end(work, true); }' }],
    shows: 'I4',
    rehearsal: frozenDatabase,
  },
  {
    name: 'nobody sweeps what was never answered',
    spoilings: [{ file: 'libs/ledger/dist/ledger.js', find: 'await this.loop.submit(overdue.items);\n        await forgetSwept', put: 'await forgetSwept' }],
    shows: 'I5',
    rehearsal: killedAfterHandingOver,
  },
  {
    name: 'a tenant\'s policy lets everything through',
    spoilings: [{ file: 'libs/storage/dist/tenant-table.js', find: 'const ofTenant = `${column} = ${ownOrganisation}`;', put: 'const ofTenant = \'true\';' }],
    shows: 'I6',
    rehearsal: calm,
  },
];
