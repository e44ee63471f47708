import { say } from '../../client/output.js';
import { countRuns, finishTimes, untilDone } from '../ledger-figures.js';
import { sendOpenLoop, type Sent } from '../load.js';
import { spreadOf, type Outcome, type Verdict } from '../result.js';
import { evenSchedule } from '../schedule.js';
import type { BenchSession } from '../session.js';
import { providerCalls } from '../simulator-calls.js';
import { Usage } from '../usage.js';
import { verify } from '../verify.js';

/** A steady open-loop load: `chain`, `light`, and `accept`, where nobody works on what is accepted. */
export async function measureLoad(session: BenchSession): Promise<Outcome> {
  const { options, platform, databases, demo, rows, publish } = session;
  const { rate, batch, seconds, warmUpS, warmUpRate } = options;
  const isConsumed = options.consumers === 'at once';
  const runs = { organisationIds: [demo.organisationId], sinceMs: Date.now() };
  const warmUp = evenSchedule(warmUpRate, batch, warmUpS);
  say(`Warming up for ${warmUpS} s at ${warmUpRate} events/s …`);
  const first = await sendOpenLoop(publish, warmUp, batch, rows.take(warmUp.requests * batch));
  if (isConsumed) await untilDone(databases, runs, first.runIds.length);
  say(`Measuring ${rate} events/s for ${seconds} s …`);
  const callsBefore = await providerCalls(platform.simulators);
  const usage = new Usage(platform.pid);
  const schedule = evenSchedule(rate, batch, seconds);
  const sent = await sendOpenLoop(publish, schedule, batch, rows.take(schedule.requests * batch));
  const accepted = [...first.runIds, ...sent.runIds];
  const finished = isConsumed ? await untilDone(databases, runs, accepted.length) : 0;
  const used = usage.stop(sent.runIds.length);
  const calls = ((await providerCalls(platform.simulators)) - callsBefore) / Math.max(1, sent.runIds.length);
  const times = isConsumed ? await finishTimes(databases, runs) : new Map<string, number>();
  const endToEnd = endToEndMs(sent, times);
  const verdict = await (isConsumed ? verify({ databases, simulators: platform.simulators, claims: [{ organisationId: demo.organisationId, accepted, sinceMs: runs.sinceMs }], finished }) : countAccepted(session, accepted));
  return {
    ...used, accepted: accepted.length, refused: first.refused + sent.refused, finished, providerCallsPerEvent: isConsumed ? calls : null,
    eventsPerSecond: perSecond(sent.runIds.length, sent, times), milliseconds: spreads(sent, endToEnd, calls * options.latencyMs), findings: {}, verdict,
  };
}

/** Of the events of one load, those that have ended. */
export function endToEndMs(sent: Sent, times: ReadonlyMap<string, number>): readonly number[] {
  return [...sent.dueAtMs].flatMap(([id, dueAt]) => (times.has(id) ? [(times.get(id) ?? 0) - dueAt] : []));
}

/** From the first request that was due to the last end of a run, or without runs to the last answer. */
export function perSecond(events: number, sent: Sent, times: ReadonlyMap<string, number>): number {
  const last = [...sent.dueAtMs.keys()].reduce((latest, id) => Math.max(latest, times.get(id) ?? 0), times.size === 0 ? sent.endedAtMs : 0);
  return Math.round((events / Math.max(1, last - sent.startedAtMs)) * 10_000) / 10;
}

export function spreads(sent: Pick<Sent, 'acceptMs' | 'lateMs'>, endToEnd: readonly number[], providerMs: number): Outcome['milliseconds'] {
  return { accept: spreadOf(sent.acceptMs), endToEnd: spreadOf(endToEnd), beyondProviders: spreadOf(endToEnd.map((ms) => ms - providerMs)), generatorLate: spreadOf(sent.lateMs) };
}

/** Nobody worked on these: what was accepted must stand in the log, once for each receipt. */
async function countAccepted({ api, databases, demo }: BenchSession, accepted: readonly string[]): Promise<Verdict> {
  const { body } = await api.call<{ readonly topics: readonly { readonly topic: string; readonly records: number | string }[] }>('GET', '/api/topics');
  const records = body.topics.filter(({ topic }) => topic.startsWith('events.')).reduce((sum, topic) => sum + Number(topic.records), 0);
  const planned = await countRuns(databases, { organisationIds: [demo.organisationId], sinceMs: 0 }, null);
  return { effects: 0, expectedEffects: 0, lost: Math.max(0, accepted.length - records), doubled: Math.max(0, records - accepted.length), outOfOrder: 0, parked: 0, deadLettered: 0, unfinished: planned };
}
