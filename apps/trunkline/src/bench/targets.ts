import type { BenchResult, TargetOutcome } from './result.js';
import type { BenchOptions, ScenarioName } from './scenario.js';

/** What is wanted of 2 cores that carry everything: generator, simulators, broker and database too. */
interface Target {
  readonly scenario: ScenarioName;
  readonly driver?: BenchOptions['driver'];
  readonly says: string;
  /** Path into the result; `*` takes the largest value of that name. */
  readonly figure: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Only a run in which so many events per second were offered can answer it. */
  readonly offered?: number;
  /** Only a run with this many events per request can answer it. */
  readonly batch?: number;
  /** Only a run in which at least so many events waited can answer it. */
  readonly waiting?: number;
  /** Only a run that measures at least so many events can answer it: rate times seconds. */
  readonly measured?: number;
}

/** 500 MB. */
const memoryMiB = 476;
const cpuMs = 1.5;
/** Of fewer, most are worked off by code that has just been started and is still being compiled. */
const backlogEvents = 10_000;
/** As many as the scenario sends when nobody says otherwise: fifteen of them lie above the p95. */
const lightEvents = 300;

export const targets: readonly Target[] = [
  { scenario: 'chain', driver: 'kafka', says: 'events/s', figure: 'eventsPerSecond', atLeast: 1_000, offered: 1_000 },
  { scenario: 'chain', driver: 'kafka', says: 'end to end p95 ms', figure: 'milliseconds.endToEnd.p95', atMost: 600, offered: 1_000 },
  { scenario: 'chain', driver: 'kafka', says: 'end to end p99 ms', figure: 'milliseconds.endToEnd.p99', atMost: 1_000, offered: 1_000 },
  { scenario: 'chain', driver: 'kafka', says: 'CPU ms per event at full load', figure: 'cpuMsPerEvent.platform', atMost: cpuMs, offered: 1_000 },
  { scenario: 'chain', driver: 'postgres', says: 'events/s', figure: 'eventsPerSecond', atLeast: 400, offered: 400 },
  { scenario: 'chain', driver: 'postgres', says: 'end to end p95 ms', figure: 'milliseconds.endToEnd.p95', atMost: 600, offered: 400 },
  { scenario: 'chain', driver: 'postgres', says: 'end to end p99 ms', figure: 'milliseconds.endToEnd.p99', atMost: 1_000, offered: 400 },
  { scenario: 'chain', driver: 'postgres', says: 'CPU ms per event at full load', figure: 'cpuMsPerEvent.platform', atMost: cpuMs, offered: 400 },
  { scenario: 'chain', says: 'lost', figure: 'verdict.lost', atMost: 0 },
  { scenario: 'chain', says: 'doubled', figure: 'verdict.doubled', atMost: 0 },
  { scenario: 'drain', says: 'events/s (moonshot 2,500)', figure: 'eventsPerSecond', atLeast: 1_500, waiting: backlogEvents },
  { scenario: 'drain', says: 'CPU ms per event (moonshot 1.15)', figure: 'cpuMsPerEvent.platform', atMost: cpuMs, waiting: backlogEvents },
  { scenario: 'light', driver: 'kafka', says: 'beyond the providers p50 ms', figure: 'milliseconds.beyondProviders.p50', atMost: 20, measured: lightEvents },
  { scenario: 'light', driver: 'postgres', says: 'beyond the providers p50 ms', figure: 'milliseconds.beyondProviders.p50', atMost: 12, measured: lightEvents },
  { scenario: 'light', says: 'beyond the providers p95 ms', figure: 'milliseconds.beyondProviders.p95', atMost: 45, measured: lightEvents },
  { scenario: 'accept', says: 'single events/s', figure: 'eventsPerSecond', atLeast: 5_000, offered: 5_000, batch: 1 },
  { scenario: 'accept', says: 'accept p99 ms', figure: 'milliseconds.accept.p99', atMost: 50, offered: 5_000, batch: 1 },
  { scenario: 'accept', says: 'events/s in batches of 100', figure: 'eventsPerSecond', atLeast: 15_000, offered: 15_000, batch: 100 },
  { scenario: 'neighbour', says: "p95 against before, the neighbour's providers hang", figure: 'findings.hangs.ratio', atMost: 1.2 },
  { scenario: 'neighbour', says: "p95 against before, the neighbour's providers throttle", figure: 'findings.throttles.ratio', atMost: 1.2 },
  { scenario: 'neighbour', says: 'p95 against before, poison', figure: 'findings.poison.ratio', atMost: 1.2 },
  { scenario: 'throttled', says: 'commands sent per call made', figure: 'findings.backlog.commandsPerCall', atMost: 1.2 },
  { scenario: 'throttled', says: 'share of the limit that was used', figure: 'findings.backlog.limitUsed', atLeast: 0.9 },
  { scenario: 'throttled', says: 'CPU beside an idle platform, % of one core', figure: 'findings.idle.beyondNothing', atMost: 5, waiting: 100_000 },
  { scenario: 'growth', says: 'CPU per event against the first, more tenants', figure: 'findings.tenants.worst', atMost: 1.1 },
  { scenario: 'growth', says: 'CPU per event against the first, more finished runs', figure: 'findings.finished.worst', atMost: 1.1 },
  { scenario: 'recovery', says: 'slowest event with upsert steps, ms longer than without a kill', figure: 'findings.*.upsertLonger', atMost: 3_000 },
  { scenario: 'recovery', says: 'slowest event with search-first steps, ms past its bound', figure: 'findings.*.searchFirstPastBound', atMost: 0 },
];

/** Where memory is one process with its database. */
const memoryTarget = { says: 'peak MiB, services and database', figure: 'peakMiB.platform', atMost: memoryMiB } as const;

/** Every target of this scenario beside what was measured. */
export function judgeTargets(result: Omit<BenchResult, 'targets'>): readonly TargetOutcome[] {
  const { scenario, driver } = result.options;
  const ours = targets.filter((target) => target.scenario === scenario && (target.driver === undefined || target.driver === driver));
  return [...ours, { ...memoryTarget, scenario }].map((target) => judgeOne(result, target));
}

function judgeOne(result: Omit<BenchResult, 'targets'>, target: Target): TargetOutcome {
  const measured = figureAt(result, target.figure.split('.'));
  const wanted = target.atLeast === undefined ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`;
  const tooSmall = whyNotAsked(result.options, target);
  if (tooSmall !== null) return { says: target.says, wanted, measured, outcome: 'not asked', because: tooSmall };
  if (measured === null) return { says: target.says, wanted, measured, outcome: 'not known' };
  const isMet = measured >= (target.atLeast ?? Number.NEGATIVE_INFINITY) && measured <= (target.atMost ?? Number.POSITIVE_INFINITY);
  return { says: target.says, wanted, measured, outcome: isMet ? 'met' : 'missed' };
}

function whyNotAsked({ rate, batch, events, seconds }: BenchResult['options'], target: Target): string | null {
  if (target.batch !== undefined && batch !== target.batch) return `--batch ${target.batch}`;
  if (target.offered !== undefined && rate < target.offered) return `needs --rate ${target.offered} or more`;
  if (target.waiting !== undefined && events < target.waiting) return `needs --events ${target.waiting}`;
  if (target.measured !== undefined && rate * seconds < target.measured) return `needs --rate times --seconds of ${target.measured}`;
  return null;
}

function figureAt(value: unknown, path: readonly string[]): number | null {
  const [name, ...rest] = path;
  if (name === undefined) return typeof value === 'number' ? value : null;
  if (typeof value !== 'object' || value === null) return null;
  const found = name === '*' ? Object.values(value) : Object.entries(value).flatMap(([key, inner]): unknown[] => (key === name ? [inner] : []));
  const figures = found.map((inner) => figureAt(inner, rest)).filter((figure) => figure !== null);
  return figures.length === 0 ? null : Math.max(...figures);
}
