import { join } from 'node:path';
import { openEventLog } from '@trunkline/service';
import type { PlannedStep } from '@trunkline/chain';
import { hashOf } from '@trunkline/contracts';
import { say } from '../../client/output.js';
import { defaultPorts } from '../../dev/ports.js';
import { demoProviders, demoSecrets, demoVault } from '../../dev/seed.js';
import { startSimulatorProcess, type RunningSimulator } from '../../dev/simulators.js';
import { finishTimes, untilDone, type RunsOf } from '../ledger-figures.js';
import { publishBy, sendOpenLoop, type Publish, type Sent } from '../load.js';
import { ratioOf, rounded, spreadOf, type Findings, type Outcome } from '../result.js';
import { evenSchedule } from '../schedule.js';
import type { BenchSession } from '../session.js';
import { askSimulator, providerCalls } from '../simulator-calls.js';
import { addTenant, summaryAlone, type BenchTenant } from '../tenants.js';
import { Usage } from '../usage.js';
import { verify } from '../verify.js';
import { endToEndMs, perSecond, spreads } from './load.js';

/** What is wrong with the neighbour, one measurement each. `alone`: it sends nothing any more, which shows how far the machine itself has drifted. */
const phases = ['before', 'hangs', 'throttles', 'poison', 'alone'] as const;
type Phase = (typeof phases)[number];

/** Held until long after the measurement; the caller gives up by its own deadline. */
const hangMs = 3_600_000;
const faults: Readonly<Record<Phase, readonly Readonly<Record<string, unknown>>[]>> = {
  before: [],
  hangs: [{ commitAfterMs: hangMs }],
  throttles: [{ status: 429, retryAfter: 1 }],
  // Writes answered by bodies without an end, everything else by half a body.
  poison: [{ match: { method: 'POST' }, endless: true }, { malformed: true }],
  alone: [],
};

interface Neighbour {
  readonly tenant: BenchTenant;
  readonly simulators: readonly RunningSimulator[];
  readonly publish: Publish;
}

/** One tenant's providers go wrong in one way after another while it keeps sending; another tenant's latency is what counts. */
export async function measureNeighbour(session: BenchSession): Promise<Outcome> {
  const { options, platform, databases, demo, rows, publish } = session;
  const neighbour = await addNeighbour(session);
  const runs = { organisationIds: [demo.organisationId], sinceMs: Date.now() };
  const warmUp = evenSchedule(options.warmUpRate, 1, options.warmUpS);
  say(`Warming up for ${options.warmUpS} s at ${options.warmUpRate} events/s …`);
  const first = await sendOpenLoop(publish, warmUp, 1, rows.take(warmUp.requests));
  await untilDone(databases, runs, first.runIds.length);
  const usage = new Usage(platform.pid);
  const measured: { phase: Phase; sent: Sent }[] = [];
  let accepted: readonly string[] = first.runIds;
  const callsBefore = await providerCalls(platform.simulators);
  for (const phase of phases) {
    say(`${phase}: ${options.rate} events/s for ${options.seconds} s${phase === 'alone' ? '' : ', as many from the neighbour'} …`);
    const sent = await runPhase(session, neighbour, phase);
    measured.push({ phase, sent });
    accepted = [...accepted, ...sent.runIds];
    await untilDone(databases, runs, accepted.length);
  }
  const finished = await untilDone(databases, runs, accepted.length);
  const sentCount = measured.reduce((sum, { sent }) => sum + sent.runIds.length, 0);
  const used = usage.stop(sentCount);
  const calls = ((await providerCalls(platform.simulators)) - callsBefore) / Math.max(1, sentCount);
  const times = await finishTimes(databases, runs);
  const { findings, before } = findingsOf(measured, times, calls * options.latencyMs);
  const verdict = await verify({ databases, simulators: platform.simulators, claims: [{ organisationId: demo.organisationId, accepted, sinceMs: runs.sinceMs }], finished });
  const theirs = await verify({ databases, simulators: neighbour.simulators, claims: [{ organisationId: neighbour.tenant.organisationId, accepted: [], sinceMs: runs.sinceMs }], finished: 0 });
  return {
    ...used, accepted: accepted.length, refused: measured.reduce((sum, { sent }) => sum + sent.refused, first.refused), finished, providerCallsPerEvent: calls,
    eventsPerSecond: perSecond(before.runIds.length, before, times), milliseconds: spreads(before, endToEndMs(before, times), calls * options.latencyMs),
    findings: { ...findings, 'the neighbour itself': await neighbourFindings(session, neighbour, runs, theirs) },
    verdict: { ...verdict, lost: verdict.lost + theirs.lost, doubled: verdict.doubled + theirs.doubled, outOfOrder: verdict.outOfOrder + theirs.outOfOrder },
  };
}

/** Three simulators and one tenant: a chain of one step for each provider, and one whose events no mapping can read. */
async function addNeighbour({ folder, closing, databases, api, options }: BenchSession): Promise<Neighbour> {
  const secrets = demoSecrets(folder);
  const simulators = await Promise.all(
    demoProviders.map(async (provider) => {
      const simulator = await startSimulatorProcess({ provider, port: defaultPorts[provider] + 300, limits: 'off', latencyMs: options.latencyMs, ...secrets.simulators[provider] }, join(folder, 'neighbour'), () => undefined);
      closing.add(`the neighbour's ${provider} simulator`, () => simulator.stop());
      return simulator;
    }),
  );
  const tenant = await addTenant({ databases, vault: demoVault(databases, secrets), name: 'The neighbour', providers: simulators, chains: (demo) => neighbourChains(demo.map((step) => ({ ...step, timeoutMs: Math.min(step.timeoutMs, options.seconds * 1_000) }))) });
  return { tenant, simulators, publish: publishBy(api, () => tenant.apiKey) };
}

function neighbourChains(demo: readonly PlannedStep[]): Readonly<Record<string, readonly PlannedStep[]>> {
  const alone = demo.map((step): [string, readonly PlannedStep[]] => [step.id, step.id === 'salesforce' ? summaryAlone(demo) : [step]]);
  const [first] = demo;
  return { ...Object.fromEntries(alone), ...(first === undefined ? {} : { poison: [{ ...first, input: { ...first.input, text: { cel: 'event.data.no_such_field' } } }] }) };
}

/** Both load at once; the neighbour's goes round its three providers, in `poison` every other event is one that no mapping can read. */
async function runPhase(session: BenchSession, neighbour: Neighbour, phase: Phase): Promise<Sent> {
  const { options, rows, publish } = session;
  await setFaults(neighbour, phase);
  const schedule = evenSchedule(options.rate, 1, options.seconds);
  const chains = [...demoProviders.map((provider) => rows.take(schedule.requests, { assistant: provider })), rows.take(schedule.requests, { assistant: 'poison' })];
  const chainOf = (index: number): number => (phase === 'poison' && index % 2 === 0 ? demoProviders.length : index % demoProviders.length);
  const theirs = phase === 'alone' ? Promise.resolve(null) : sendOpenLoop(neighbour.publish, schedule, 1, (index) => (chains[chainOf(index)] ?? rows.take(1))(index));
  const unreadable = phase === 'poison' ? appendUnreadable(session, neighbour.tenant) : Promise.resolve();
  const [ours] = await Promise.all([sendOpenLoop(publish, schedule, 1, rows.take(schedule.requests)), theirs, unreadable]);
  return ours;
}

async function setFaults({ simulators }: Neighbour, phase: Phase): Promise<void> {
  for (const { url } of simulators) {
    await askSimulator(url, 'DELETE', '/faults');
    for (const fault of faults[phase]) await askSimulator(url, 'POST', '/faults', fault);
  }
}

const unreadableRecords = 50;

/** Records on the events topic that are no events, as a broken producer of the operator's own could append them. */
async function appendUnreadable({ platform, databases }: BenchSession, tenant: BenchTenant): Promise<void> {
  const eventLog = openEventLog('bench', { databaseUrl: platform.dev.databaseUrl, kafkaBrokers: platform.brokers ?? [] }, { databases, logger: { warn: () => undefined } });
  try {
    await eventLog.append('events.conversation_ended', Array.from({ length: unreadableRecords }, (_, index) => ({ key: hashOf('unreadable', tenant.organisationId, String(index)), value: Buffer.from(`{"no event": ${index}`), headers: [['ce_id', Buffer.from([0xff, 0xfe])]] as const })));
  } finally {
    await eventLog.close();
  }
}

function findingsOf(measured: readonly { readonly phase: Phase; readonly sent: Sent }[], times: ReadonlyMap<string, number>, providerMs: number): { findings: Findings; before: Sent } {
  const spread = new Map(measured.map(({ phase, sent }) => [phase, spreadOf(endToEndMs(sent, times))]));
  const p95Before = spread.get('before')?.p95 ?? null;
  const lines = [...spread].map(([phase, { p50, p95, p99 }]): [string, Findings[string]] => {
    if (phase === 'before') return [phase, { p50, p95, p99 }];
    return [phase, { p50, p95, p99, ratio: ratioOf(p95, p95Before), beyondProvidersRatio: ratioOf((p95 ?? 0) - providerMs, (p95Before ?? 0) - providerMs) }];
  });
  lines.push(['steadiness', { says: steadiness(ratioOf(spread.get('alone')?.p95 ?? null, p95Before)) }]);
  const before = measured.find(({ phase }) => phase === 'before')?.sent;
  if (before === undefined) throw new Error('the first phase was not measured');
  return { findings: Object.fromEntries(lines), before };
}

/** With the neighbour gone the tenant can be a little quicker than before; much quicker or slower means that the machine itself has changed meanwhile. */
function steadiness(aloneRatio: number | null): string {
  if (aloneRatio !== null && aloneRatio >= 0.6 && aloneRatio <= 1.2) return 'the machine was steady enough';
  return `the machine was not steady (alone is ${aloneRatio ?? '–'} of before): run it again when nothing else runs, or with more --seconds`;
}

/** What became of the neighbour's own work: shows that its providers did go wrong. */
async function neighbourFindings({ databases }: BenchSession, { tenant, simulators }: Neighbour, runs: RunsOf, theirs: Outcome['verdict']): Promise<Findings[string]> {
  const done = (await finishTimes(databases, { ...runs, organisationIds: [tenant.organisationId] })).size;
  return { effects: theirs.effects, runsDone: done, stepsParked: theirs.parked, stepsDeadLettered: theirs.deadLettered, calls: rounded(await providerCalls(simulators), 0) };
}
