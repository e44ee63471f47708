/** What `trunkline bench` can run, and what each is asked for when nobody says otherwise. */
export interface ScenarioDefaults {
  readonly says: string;
  /** Events per second offered; 0: as fast as they are accepted. */
  readonly rate: number;
  readonly durationS: number;
  readonly warmUpS: number;
  /** Events per second before the measurement; code that has run a few hundred times only is interpreted and says nothing of the hours after. */
  readonly warmUpRate: number;
  readonly latencyMs: number;
  /** Events per request. */
  readonly batch: number;
  /** `later`: ledger and workers start once everything has been accepted, or never where they are not measured. */
  readonly consumers: 'at once' | 'later';
}

export const scenarios = {
  chain: { says: 'three-step chain under sustained load', rate: 100, durationS: 30, warmUpS: 10, warmUpRate: 100, latencyMs: 50, batch: 1, consumers: 'at once' },
  light: { says: 'latency of the same chain when little is going on', rate: 20, durationS: 15, warmUpS: 12, warmUpRate: 100, latencyMs: 0, batch: 1, consumers: 'at once' },
  accept: { says: 'the gateway alone, durable before each 202', rate: 1000, durationS: 15, warmUpS: 5, warmUpRate: 1000, latencyMs: 0, batch: 1, consumers: 'later' },
  drain: { says: 'events that waited while nobody read, worked off at full speed', rate: 0, durationS: 0, warmUpS: 0, warmUpRate: 0, latencyMs: 0, batch: 100, consumers: 'later' },
} as const satisfies Readonly<Record<string, ScenarioDefaults>>;

export type ScenarioName = keyof typeof scenarios;

export function isScenario(name: string): name is ScenarioName {
  return Object.hasOwn(scenarios, name);
}

export interface BenchOptions extends ScenarioDefaults {
  readonly scenario: ScenarioName;
  readonly driver: 'postgres' | 'kafka';
  /** `local`, or brokers as host:port,host:port; only for the Kafka driver. */
  readonly kafka: string;
  /** How many events wait in `drain`. */
  readonly events: number;
  readonly output: 'table' | 'json';
  readonly save?: string;
  /** Folder for a CPU profile of the services. */
  readonly profile?: string;
}
