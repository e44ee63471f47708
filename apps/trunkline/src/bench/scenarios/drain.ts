import { say } from '../../client/output.js';
import { finishTimes, untilDone } from '../ledger-figures.js';
import { sendAll } from '../load.js';
import type { Outcome } from '../result.js';
import type { BenchSession } from '../session.js';
import { providerCalls } from '../simulator-calls.js';
import { Usage } from '../usage.js';
import { verify } from '../verify.js';
import { spreads } from './load.js';

/** Events that waited while nobody read, worked off at full speed. */
export async function measureDrain({ options, platform, databases, demo, rows, publish }: BenchSession): Promise<Outcome> {
  say(`Putting ${options.events} events in …`);
  const runs = { organisationIds: [demo.organisationId], sinceMs: Date.now() };
  const sent = await sendAll(publish, options.events, options.batch, rows.take(options.events));
  say(`Accepted at ${Math.round((sent.runIds.length / (sent.endedAtMs - sent.startedAtMs)) * 1000)} events/s; working them off …`);
  const usage = new Usage(platform.pid);
  const openedAtMs = Date.now();
  await platform.startConsumers();
  const finished = await untilDone(databases, runs, sent.runIds.length);
  const used = usage.stop(sent.runIds.length);
  const calls = (await providerCalls(platform.simulators)) / Math.max(1, sent.runIds.length);
  const endToEnd = [...(await finishTimes(databases, runs)).values()].map((at) => at - openedAtMs);
  const lastMs = endToEnd.reduce((latest, ms) => Math.max(latest, ms), 1);
  const verdict = await verify({ databases, simulators: platform.simulators, claims: [{ organisationId: demo.organisationId, accepted: sent.runIds, sinceMs: runs.sinceMs }], finished });
  return {
    ...used, accepted: sent.runIds.length, refused: 0, finished, providerCallsPerEvent: calls, eventsPerSecond: Math.round((finished / lastMs) * 10_000) / 10,
    milliseconds: spreads(sent, endToEnd, calls * options.latencyMs), findings: {}, verdict,
  };
}
