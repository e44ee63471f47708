import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

export type BreakerState = 'closed' | 'half-open' | 'open';

/** What a library may count. Labels are few and known: never an organisation, run or id of a tenant. */
export interface Metrics {
  /** Appended to the topic. */
  recordsIn(topic: string, count: number): void;
  /** Durably taken care of by a group, by what became of them. */
  recordsOut(topic: string, group: string, outcome: string, count: number): void;
  topicLag(topic: string, group: string, lag: { readonly records: number; readonly oldestAgeSeconds: number }): void;
  providerCall(provider: string, action: string, outcome: string, durationMs: number): void;
  providerThrottled(provider: string, reason: string): void;
  breaker(provider: string, state: BreakerState): void;
  /** All closed gates; what is not in the list is open. */
  closedGates(gates: readonly { readonly provider: string; readonly reason: string; readonly count: number }[]): void;
  stepsInState(state: string, count: number): void;
  runsInState(state: string, count: number): void;
  /** Runs before each scrape, bounded in time; for figures that are read rather than counted. */
  onScrape(collect: () => Promise<void>): void;
  scrape(): Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface MetricsOptions {
  /** Processor, memory and event-loop figures of this process. */
  readonly processFigures?: boolean;
  readonly scrapeTimeoutMs?: number;
}

/** A registry of its own per app, so that several apps in one process do not mix. */
export function createMetrics({ processFigures = false, scrapeTimeoutMs = 3_000 }: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (processFigures) collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string, labelNames: string[]): Counter => new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[]): Gauge => new Gauge({ name, help, labelNames, registers });

  const recordsIn = counter('trunkline_topic_in_records_total', 'Records appended to a topic by this process.', ['topic']);
  const recordsOut = counter('trunkline_topic_out_records_total', 'Records taken care of by a consumer group in this process.', ['topic', 'group', 'outcome']);
  const lag = gauge('trunkline_topic_lag_records', 'Records of a topic that a group has not committed.', ['topic', 'group']);
  const oldest = gauge('trunkline_topic_oldest_age_seconds', 'Age of the oldest record that a group has not committed; 0 when it has read everything.', ['topic', 'group']);
  const calls = new Histogram({ name: 'trunkline_provider_call_seconds', help: 'Calls to providers.', labelNames: ['provider', 'action', 'outcome'], buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30], registers });
  const throttles = counter('trunkline_provider_throttles_total', 'Times a provider or our own budget asked to wait.', ['provider', 'reason']);
  const breakers = gauge('trunkline_provider_breaker_open', 'Circuit breaker: 0 closed, 0.5 half open, 1 open.', ['provider']);
  const gates = gauge('trunkline_gates_closed', 'Closed gates of integrations.', ['provider', 'reason']);
  const steps = gauge('trunkline_steps', 'Steps by state.', ['state']);
  const runs = gauge('trunkline_runs', 'Runs by state.', ['state']);
  const failures = counter('trunkline_scrape_failures_total', 'Figures that could not be read in time for a scrape.', []);
  const collectors: (() => Promise<void>)[] = [];

  return {
    recordsIn: (topic, count) => recordsIn.inc({ topic }, count),
    recordsOut: (topic, group, outcome, count) => recordsOut.inc({ topic, group, outcome }, count),
    topicLag: (topic, group, { records, oldestAgeSeconds }) => {
      lag.set({ topic, group }, records);
      oldest.set({ topic, group }, oldestAgeSeconds);
    },
    providerCall: (provider, action, outcome, durationMs) => calls.observe({ provider, action, outcome }, durationMs / 1_000),
    providerThrottled: (provider, reason) => throttles.inc({ provider, reason }),
    breaker: (provider, state) => breakers.set({ provider }, { closed: 0, 'half-open': 0.5, open: 1 }[state]),
    closedGates: (closed) => {
      // An opened gate must fall to nothing: an alarm would ring for ever.
      gates.reset();
      for (const { provider, reason, count } of closed) gates.set({ provider, reason }, count);
    },
    stepsInState: (state, count) => steps.set({ state }, count),
    runsInState: (state, count) => runs.set({ state }, count),
    onScrape: (collect) => void collectors.push(collect),
    scrape: async () => {
      const collected = await Promise.allSettled(collectors.map((collect) => inTime(collect(), scrapeTimeoutMs)));
      failures.inc(collected.filter(({ status }) => status === 'rejected').length);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

async function inTime(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('too late for this scrape')), timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
