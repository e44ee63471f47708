import { fileURLToPath } from 'node:url';
import type { Databases } from '@trunkline/storage';
import { Api } from '../client/api.js';
import { say } from '../client/output.js';
import type { ContactEvent } from '../feed/service-request.js';
import { finishTimes, untilDone } from './ledger-figures.js';
import { sendAll, sendOpenLoop, type Sent } from './load.js';
import { spreadOf, type BenchResult } from './result.js';
import { benchEvents } from './rows.js';
import type { BenchOptions } from './scenario.js';
import { evenSchedule } from './schedule.js';
import type { BenchedPlatform } from './start-platform.js';
import { Usage } from './usage.js';

const rowsFile = fileURLToPath(new URL('../../data/service-requests.csv', import.meta.url));
/** No run has ended for so long: whatever is left is called unfinished. */
const patienceMs = 30_000;

export interface Measured extends Pick<BenchResult, 'cpuMsPerEvent' | 'peakMiB' | 'milliseconds' | 'eventsPerSecond' | 'providerCallsPerEvent'> {
  /** Of the whole run, warm-up included. */
  readonly accepted: readonly string[];
  readonly refused: number;
  readonly finished: number;
}

/** Warms up, measures, and waits for the end of everything it has caused. */
export async function measure(options: BenchOptions, platform: BenchedPlatform, databases: Databases): Promise<Measured> {
  const api = new Api({ url: platform.dev.gateway, apiKey: platform.dev.apiKey, organisationId: platform.dev.organisationId }, 256);
  try {
    const eventAt = await benchEvents(rowsFile);
    return await (options.scenario === 'drain' ? measureDrain(options, platform, databases, api, eventAt) : measureLoad(options, platform, databases, api, eventAt));
  } finally {
    await api.close();
  }
}

async function measureLoad(options: BenchOptions, platform: BenchedPlatform, databases: Databases, api: Api, eventAt: (index: number) => ContactEvent): Promise<Measured> {
  const { rate, batch, durationS, warmUpS, warmUpRate } = options;
  const isConsumed = options.consumers === 'at once';
  const warmUp = evenSchedule(warmUpRate, batch, warmUpS);
  say(`Warming up for ${warmUpS} s at ${warmUpRate} events/s …`);
  const first = await sendOpenLoop(api, warmUp, batch, eventAt);
  if (isConsumed) await untilDone(databases, first.runIds.length, patienceMs);
  say(`Measuring ${rate} events/s for ${durationS} s …`);
  const callsBefore = await providerCalls(platform);
  const usage = new Usage(platform.pid);
  const sent = await sendOpenLoop(api, evenSchedule(rate, batch, durationS), batch, (index) => eventAt(warmUp.requests * batch + index));
  const accepted = [...first.runIds, ...sent.runIds];
  const finished = isConsumed ? await untilDone(databases, accepted.length, patienceMs) : 0;
  const used = usage.stop(sent.runIds.length);
  const calls = ((await providerCalls(platform)) - callsBefore) / Math.max(1, sent.runIds.length);
  const times = isConsumed ? await finishTimes(databases) : new Map<string, number>();
  const endToEnd = [...sent.dueAtMs].flatMap(([id, dueAt]) => (times.has(id) ? [(times.get(id) ?? 0) - dueAt] : []));
  return { ...used, accepted, refused: first.refused + sent.refused, finished, providerCallsPerEvent: isConsumed ? calls : null, eventsPerSecond: perSecond(sent.runIds.length, sent, times), milliseconds: spreads(sent, endToEnd, calls * options.latencyMs) };
}

async function measureDrain(options: BenchOptions, platform: BenchedPlatform, databases: Databases, api: Api, eventAt: (index: number) => ContactEvent): Promise<Measured> {
  say(`Putting ${options.events} events in …`);
  const sent = await sendAll(api, options.events, options.batch, eventAt);
  say(`Accepted at ${Math.round((sent.runIds.length / (sent.endedAtMs - sent.startedAtMs)) * 1000)} events/s; working them off …`);
  const usage = new Usage(platform.pid);
  const openedAtMs = Date.now();
  await platform.startConsumers();
  const finished = await untilDone(databases, sent.runIds.length, patienceMs);
  const used = usage.stop(sent.runIds.length);
  const calls = (await providerCalls(platform)) / Math.max(1, sent.runIds.length);
  const times = await finishTimes(databases);
  const endToEnd = [...times.values()].map((at) => at - openedAtMs);
  const lastMs = endToEnd.reduce((latest, ms) => Math.max(latest, ms), 1);
  return { ...used, accepted: sent.runIds, refused: 0, finished, providerCallsPerEvent: calls, eventsPerSecond: Math.round((finished / lastMs) * 10_000) / 10, milliseconds: spreads(sent, endToEnd, calls * options.latencyMs) };
}

/** From the first request that was due to the last end of a run, or without runs to the last answer. */
function perSecond(events: number, sent: Sent, times: ReadonlyMap<string, number>): number {
  const last = [...sent.dueAtMs.keys()].reduce((latest, id) => Math.max(latest, times.get(id) ?? 0), times.size === 0 ? sent.endedAtMs : 0);
  return Math.round((events / Math.max(1, last - sent.startedAtMs)) * 10_000) / 10;
}

function spreads(sent: Sent, endToEnd: readonly number[], providerMs: number): BenchResult['milliseconds'] {
  return { accept: spreadOf(sent.acceptMs), endToEnd: spreadOf(endToEnd), beyondProviders: spreadOf(endToEnd.map((ms) => ms - providerMs)), generatorLate: spreadOf(sent.lateMs) };
}

async function providerCalls(platform: BenchedPlatform): Promise<number> {
  const each = await Promise.all(
    platform.simulators.map(async ({ url }) => {
      const simulator = new Api({ url: new URL(url).origin, apiKey: '', organisationId: null }, 1);
      try {
        return (await simulator.call<{ readonly total: number }>('GET', '/_control/calls?limit=1')).body.total;
      } finally {
        await simulator.close();
      }
    }),
  );
  return each.reduce((sum, total) => sum + total, 0);
}
