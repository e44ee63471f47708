import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { say } from '../../client/output.js';
import { defaultPorts } from '../../dev/ports.js';
import { demoSecrets, demoVault } from '../../dev/seed.js';
import { startSimulatorProcess, type RunningSimulator } from '../../dev/simulators.js';
import { idleShare } from '../idle.js';
import { commandsSent, finishTimes, untilDone, untilPlanned } from '../ledger-figures.js';
import { publishBy, sendAll, sendOpenLoop, type Sent } from '../load.js';
import { ratioOf, rounded, spreadOf, type Outcome } from '../result.js';
import { evenSchedule } from '../schedule.js';
import type { BenchSession } from '../session.js';
import { askSimulator } from '../simulator-calls.js';
import { addTenant, summaryAlone, type BenchTenant } from '../tenants.js';
import { Usage } from '../usage.js';
import { verify } from '../verify.js';
import { endToEndMs, perSecond, spreads } from './load.js';

/** How long the platform is watched with nothing to do, for comparison; less where the whole run is shorter. */
const nothingS = 10;
/** How long the free tenant is measured, before and during; less where the whole run is shorter. */
const freeS = 20;

/** A backlog of one-step runs that would take days; measured for a while after all of it is planned, and then left. */
export async function measureThrottled(session: BenchSession): Promise<Outcome> {
  const { options, platform, databases, demo, rows, publish } = session;
  const { tenant, simulator } = await addThrottled(session);
  const runs = { organisationIds: [demo.organisationId], sinceMs: Date.now() };
  const theirs = { organisationIds: [tenant.organisationId], sinceMs: Date.now() };
  const warmUp = evenSchedule(options.warmUpRate, 1, options.warmUpS);
  say(`Warming up for ${options.warmUpS} s at ${options.warmUpRate} events/s …`);
  const first = await sendOpenLoop(publish, warmUp, 1, rows.take(warmUp.requests));
  await untilDone(databases, runs, first.runIds.length);
  const before = await freeLoad(session, 'before the backlog');
  await untilDone(databases, runs, first.runIds.length + before.runIds.length);
  const idleS = Math.min(nothingS, options.seconds);
  say(`Nothing to do for ${idleS} s …`);
  await wait(2_000);
  const nothing = await idleShare(platform.pid, idleS);
  const openedAt = performance.now();
  const planned = await putBacklog(session, tenant, theirs);
  say(`Watching the backlog for ${options.seconds} s …`);
  const withBacklog = await idleShare(platform.pid, options.seconds);
  const usage = new Usage(platform.pid);
  const during = await freeLoad(session, 'beside the backlog');
  const accepted = [...first.runIds, ...before.runIds, ...during.runIds];
  const finished = await untilDone(databases, runs, accepted.length);
  const used = usage.stop(during.runIds.length);
  const seconds = Math.round((performance.now() - openedAt) / 1_000);
  const [calls, sent] = [await callsOf(simulator), await commandsSent(databases, theirs)];
  const times = await finishTimes(databases, runs);
  const [spreadBefore, spreadDuring] = [spreadOf(endToEndMs(before, times)), spreadOf(endToEndMs(during, times))];
  const verdict = await verify({ databases, simulators: platform.simulators, claims: [{ organisationId: demo.organisationId, accepted, sinceMs: runs.sinceMs }], finished });
  const held = await verify({ databases, simulators: [simulator], claims: [{ organisationId: tenant.organisationId, accepted: planned.runIds, sinceMs: theirs.sinceMs }], finished: 0 });
  return {
    ...used, accepted: accepted.length + planned.runIds.length, refused: first.refused + before.refused + during.refused, finished, providerCallsPerEvent: null,
    eventsPerSecond: perSecond(during.runIds.length, during, times), milliseconds: spreads(during, endToEndMs(during, times), 0),
    findings: {
      backlog: { waiting: planned.runIds.length, plannedPerSecond: planned.perSecond, commandsSent: sent, callsMade: calls, inSeconds: seconds, commandsPerCall: ratioOf(sent, calls), limitUsed: ratioOf(calls, Math.min(planned.runIds.length, allowedIn(seconds, options.callsPerMinute))), left: `after ${options.seconds} s plus ${Math.min(freeS, options.seconds)} s of the free tenant's load; the rest would take ${Math.round(planned.runIds.length / options.callsPerMinute)} minutes` },
      idle: { nothingToDoPercent: nothing, behindTheLimitPercent: withBacklog, beyondNothing: nothing === null || withBacklog === null ? null : rounded(withBacklog - nothing) },
      before: { p50: spreadBefore.p50, p95: spreadBefore.p95 },
      during: { p50: spreadDuring.p50, p95: spreadDuring.p95, ratio: ratioOf(spreadDuring.p95, spreadBefore.p95) },
    },
    verdict: { ...verdict, lost: verdict.lost + held.lost, doubled: verdict.doubled + held.doubled, outOfOrder: verdict.outOfOrder + held.outOfOrder, parked: held.parked, deadLettered: held.deadLettered },
  };
}

/** What the limit lets through in so long: the whole of each minute that has begun. */
function allowedIn(seconds: number, callsPerMinute: number): number {
  return callsPerMinute * (1 + Math.floor(seconds / 60));
}

/** One step at a provider whose limit both sides know. */
async function addThrottled({ folder, closing, databases, options }: BenchSession): Promise<{ tenant: BenchTenant; simulator: RunningSimulator }> {
  const secrets = demoSecrets(folder);
  const limits = `${options.callsPerMinute}/min`;
  const simulator = await startSimulatorProcess({ provider: 'salesforce', port: defaultPorts.salesforce + 300, limits, ...secrets.simulators.salesforce }, join(folder, 'throttled'), () => undefined);
  closing.add('the throttled simulator', () => simulator.stop());
  const tenant = await addTenant({
    databases, vault: demoVault(databases, secrets), name: 'Behind a limit', providers: [simulator], settings: { limit_per_minute: options.callsPerMinute, limit_per_day: 0, limit_concurrent: 0 },
    chains: (demo) => ({ '': summaryAlone(demo) }),
  });
  return { tenant, simulator };
}

async function freeLoad({ options, rows, publish }: BenchSession, when: string): Promise<Sent> {
  const seconds = Math.min(freeS, options.seconds);
  const schedule = evenSchedule(options.rate, 1, seconds);
  say(`The free tenant ${when}: ${options.rate} events/s for ${seconds} s …`);
  return sendOpenLoop(publish, schedule, 1, rows.take(schedule.requests));
}

async function putBacklog({ options, api, rows, databases }: BenchSession, tenant: BenchTenant, runs: Parameters<typeof untilPlanned>[1]): Promise<{ runIds: readonly string[]; perSecond: number }> {
  say(`Putting ${options.events} events behind ${options.callsPerMinute} calls a minute …`);
  const start = performance.now();
  const { runIds } = await sendAll(publishBy(api, () => tenant.apiKey), options.events, options.batch, rows.take(options.events));
  const planned = await untilPlanned(databases, runs, runIds.length);
  return { runIds, perSecond: Math.round(planned / ((performance.now() - start) / 1_000)) };
}

/** Calls for work; tokens are no work. */
async function callsOf({ url }: RunningSimulator): Promise<number> {
  const [all, tokens] = await Promise.all([askSimulator<{ readonly total: number }>(url, 'GET', '/calls?limit=1'), askSimulator<{ readonly tokensIssued: number }>(url, 'GET', '/stats')]);
  return all.total - tokens.tokensIssued;
}
