import { say } from '../../client/output.js';
import { demoSecrets, demoVault } from '../../dev/seed.js';
import { calibrate } from '../calibration.js';
import { LedgerFill } from '../fill.js';
import { finishTimes, untilDone } from '../ledger-figures.js';
import { publishBy, sendOpenLoop, type Sent } from '../load.js';
import { ratioOf, rounded, type Findings, type Outcome } from '../result.js';
import { evenSchedule } from '../schedule.js';
import type { BenchSession } from '../session.js';
import { addTenant, type BenchTenant } from '../tenants.js';
import { Usage } from '../usage.js';
import { verify } from '../verify.js';
import { endToEndMs, perSecond, spreads } from './load.js';

/** The better of so many: neighbours on the machine only make a measurement worse. */
const rounds = 2;

interface Cost {
  readonly size: number;
  /** Processor time of an event as a multiple of the calibration loop taken beside it, each round. */
  readonly units: readonly number[];
  readonly cpuMs: readonly number[];
}

/** Sends loads, remembers everything accepted. */
class Meter {
  readonly accepted = new Map<string, string[]>();
  readonly sinceMs = Date.now();
  readonly sent: Sent[] = [];
  refused = 0;
  /** Of the newest measurement. */
  used: Pick<Outcome, 'cpuMsPerEvent' | 'peakMiB'> = { cpuMsPerEvent: null, peakMiB: null };

  constructor(
    private readonly session: BenchSession,
    private readonly tenants: readonly BenchTenant[],
  ) {}

  get organisationIds(): readonly string[] {
    return this.tenants.map(({ organisationId }) => organisationId);
  }

  get total(): number {
    return [...this.accepted.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** One load, shared by the first `count` tenants in turn; resolves once all of it has ended. */
  async load(count: number, rate: number, seconds: number): Promise<number> {
    const { api, rows, databases } = this.session;
    const tenantAt = (request: number): BenchTenant => this.tenants[request % count] ?? this.session.demo;
    const publish = publishBy(api, (request) => tenantAt(request).apiKey);
    const schedule = evenSchedule(rate, 1, seconds);
    const sent = await sendOpenLoop(
      async (events, request) => {
        const runIds = await publish(events, request);
        const { organisationId } = tenantAt(request);
        this.accepted.set(organisationId, [...(this.accepted.get(organisationId) ?? []), ...runIds]);
        return runIds;
      },
      schedule, 1, rows.take(schedule.requests),
    );
    this.sent.push(sent);
    this.refused += sent.refused;
    await untilDone(databases, this, this.total);
    return sent.runIds.length;
  }

  async cost(count: number, size: number): Promise<Cost> {
    const { options, platform, folder } = this.session;
    const units: number[] = [];
    const cpuMs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const usage = new Usage(platform.pid);
      const events = await this.load(count, options.rate, options.seconds);
      this.used = usage.stop(events);
      const perEvent = this.used.cpuMsPerEvent?.platform;
      if (perEvent === undefined) continue;
      cpuMs.push(perEvent);
      units.push((perEvent * 1_000) / calibrate(folder).unitMicros);
    }
    return { size, units, cpuMs };
  }
}

/** The same load with more and more tenants, then with more and more finished runs behind it. */
export async function measureGrowth(session: BenchSession): Promise<Outcome> {
  const { options, platform, databases } = session;
  const meter = new Meter(session, await addTenants(session, Math.max(...options.tenants)));
  const all = meter.organisationIds.length;
  say(`Warming up for ${options.warmUpS} s at ${options.warmUpRate} events/s, ${all} tenants …`);
  await meter.load(all, options.warmUpRate, options.warmUpS);
  const byTenants: Cost[] = [];
  for (const count of options.tenants) {
    say(`${count} tenants: ${options.rate} events/s, ${rounds} times ${options.seconds} s …`);
    byTenants.push(await meter.cost(count, count));
  }
  const { byFinished, fills } = await withFinishedRuns(session, meter, all);
  const finished = await untilDone(databases, meter, meter.total);
  const times = await finishTimes(databases, meter);
  const last = meter.sent.at(-1);
  if (last === undefined) throw new Error('nothing was measured');
  const claims = [...meter.accepted].map(([organisationId, accepted]) => ({ organisationId, accepted, sinceMs: meter.sinceMs }));
  const verdict = await verify({ databases, simulators: platform.simulators, claims, finished });
  return {
    ...meter.used, accepted: meter.total, refused: meter.refused, finished, providerCallsPerEvent: null, eventsPerSecond: perSecond(last.runIds.length, last, times), milliseconds: spreads(last, endToEndMs(last, times), 0),
    findings: { tenants: growthOf(byTenants), finished: growthOf(byFinished), ...fills }, verdict,
  };
}

async function withFinishedRuns({ options, platform }: BenchSession, meter: Meter, tenants: number): Promise<{ byFinished: readonly Cost[]; fills: Findings }> {
  const byFinished: Cost[] = [];
  const fills: Record<string, Findings[string]> = {};
  const fill = await LedgerFill.open(platform.dev.databaseUrl);
  try {
    for (const size of options.finished) {
      say(`Filling the ledger up to ${size} finished runs …`);
      const { rows, megabytes, seconds } = await fill.upTo(size);
      fills[`filled to ${size}`] = { ...rows, megabytes, seconds };
      say(`${size} finished runs: ${options.rate} events/s, ${rounds} times ${options.seconds} s …`);
      byFinished.push(await meter.cost(tenants, size));
    }
  } finally {
    await fill.close();
  }
  return { byFinished, fills };
}

async function addTenants({ folder, databases, platform, demo }: BenchSession, count: number): Promise<readonly BenchTenant[]> {
  const secrets = demoSecrets(folder);
  const providers = platform.simulators.map((simulator) => ({ ...simulator, ...(platform.dev.simulators[simulator.provider] ?? { clientId: '', clientSecret: '' }) }));
  const tenants = [demo];
  while (tenants.length < count) tenants.push(await addTenant({ databases, vault: demoVault(databases, secrets), name: `Council ${tenants.length + 1}`, providers }));
  return tenants;
}

/** Each size's best round, and what it is of the first size's; machine drift taken out by the loop beside each round. */
function growthOf(costs: readonly Cost[]): Findings[string] {
  const first = best(costs[0]?.units);
  const ratios = costs.slice(1).map(({ units }) => ratioOf(best(units), first));
  const known = ratios.filter((ratio) => ratio !== null);
  return {
    ...Object.fromEntries(costs.flatMap(({ size, cpuMs, units }): [string, number | string | null][] => [[`${size}: CPU ms`, cpuMs.map((each) => rounded(each, 2)).join(' / ')], [`${size}: ratio`, ratioOf(best(units), first)]])),
    worst: known.length === 0 ? null : Math.max(...known),
  };
}

function best(values: readonly number[] | undefined): number | null {
  return values === undefined || values.length === 0 ? null : Math.min(...values);
}
