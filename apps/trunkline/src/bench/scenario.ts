/** What `trunkline bench` can run, and what each is asked for when nobody says otherwise. */
export interface ScenarioDefaults {
  readonly says: string;
  /** Events per second offered; 0: as fast as they are accepted. */
  readonly rate: number;
  /** How long each measurement takes. */
  readonly seconds: number;
  readonly warmUpS: number;
  /** Events per second before the measurement; code that has run a few hundred times only is interpreted and says nothing of the hours after. */
  readonly warmUpRate: number;
  readonly latencyMs: number;
  /** Events per request. */
  readonly batch: number;
  /** How many events wait, where a backlog is part of it. */
  readonly events: number;
  /** `later`: ledger and workers start once everything has been accepted, or never where they are not measured. */
  readonly consumers: 'at once' | 'later';
}

export const scenarios = {
  chain: { says: 'three-step chain under sustained load', rate: 100, seconds: 30, warmUpS: 10, warmUpRate: 100, latencyMs: 50, batch: 1, events: 0, consumers: 'at once' },
  light: { says: 'latency of the same chain when little is going on', rate: 20, seconds: 15, warmUpS: 12, warmUpRate: 100, latencyMs: 0, batch: 1, events: 0, consumers: 'at once' },
  accept: { says: 'the gateway alone, durable before each 202', rate: 1000, seconds: 15, warmUpS: 5, warmUpRate: 1000, latencyMs: 0, batch: 1, events: 0, consumers: 'later' },
  drain: { says: 'events that waited while nobody read, worked off at full speed', rate: 0, seconds: 0, warmUpS: 0, warmUpRate: 0, latencyMs: 0, batch: 100, events: 10_000, consumers: 'later' },
  neighbour: { says: "one tenant's providers hang, throttle, then send poison; another tenant is measured before and during each", rate: 30, seconds: 20, warmUpS: 12, warmUpRate: 60, latencyMs: 50, batch: 1, events: 0, consumers: 'at once' },
  throttled: { says: 'a backlog behind 60 calls a minute beside a free tenant', rate: 20, seconds: 60, warmUpS: 12, warmUpRate: 60, latencyMs: 0, batch: 100, events: 100_000, consumers: 'at once' },
  growth: { says: 'processor time per event with more tenants and with more finished runs in the ledger', rate: 100, seconds: 10, warmUpS: 20, warmUpRate: 100, latencyMs: 0, batch: 1, events: 0, consumers: 'at once' },
  recovery: { says: 'the apps as separate processes, killed in the middle of a load and started again: how much later the slowest event ends', rate: 40, seconds: 30, warmUpS: 8, warmUpRate: 40, latencyMs: 20, batch: 1, events: 0, consumers: 'at once' },
} as const satisfies Readonly<Record<string, ScenarioDefaults>>;

export type ScenarioName = keyof typeof scenarios;

export function isScenario(name: string): name is ScenarioName {
  return Object.hasOwn(scenarios, name);
}

/** Whom `recovery` kills: every app at once, or one. */
export const killTargets = ['everything', 'gateway', 'ledger', 'contact-centre', 'erp', 'crm'] as const;
export type KillTarget = (typeof killTargets)[number];

export interface BenchOptions extends ScenarioDefaults {
  readonly scenario: ScenarioName;
  readonly driver: 'postgres' | 'kafka';
  /** `local`, or brokers as host:port,host:port; only for the Kafka driver. */
  readonly kafka: string;
  /** `throttled`: what the provider allows. */
  readonly callsPerMinute: number;
  /** `growth`: how many tenants share the load, one measurement each. */
  readonly tenants: readonly number[];
  /** `growth`: how many finished runs the ledger holds, one measurement each. */
  readonly finished: readonly number[];
  /** `recovery`: one run each. */
  readonly kill: readonly KillTarget[];
  readonly output: 'table' | 'json';
  readonly save?: string;
  /** Folder for a CPU profile of the services. */
  readonly profile?: string;
}
