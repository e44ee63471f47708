import type { RepeatMethod } from '@trunkline/chain';

/** One step of a rehearsed chain, and what it leaves behind at its provider. */
export interface RehearsedStep {
  readonly id: string;
  readonly integrationId: string;
  readonly provider: string;
  readonly repeat: RepeatMethod;
  /** Simulator and type of record of its effect; in one organisation no two steps share both. */
  readonly recordType: string;
  readonly ordering: 'none' | 'subject';
}

/** One organisation of a rehearsal. */
export interface Council {
  readonly name: CouncilName;
  readonly organisationId: string;
  readonly apiKey: string;
  /** In the order of the chain. */
  readonly steps: readonly RehearsedStep[];
  readonly integrations: readonly { readonly id: string; readonly provider: string }[];
  readonly limits: readonly CallLimit[];
}

export interface CallLimit {
  readonly provider: string;
  /** Calls of this integration are told by the beginning of their path. */
  readonly pathPrefix: string;
  readonly calls: number;
  readonly windowMs: number;
}

export type CouncilName = 'alpha' | 'beta';

export const simulatedProviders = ['genesys', 'techone', 'salesforce', 'rehearsal'] as const;
export type ChaosProvider = (typeof simulatedProviders)[number];

export interface Preparation {
  readonly databaseUrl: string;
  readonly masterKeys: string;
  readonly addresses: Readonly<Record<ChaosProvider, string>>;
  readonly techonePerMinute: number;
  readonly rehearsalPerWindow: number;
}

/** Ids of one organisation's events begin with its letter, so that a provider's record tells whose it is. */
export function eventIdOf(council: CouncilName, id: string): string {
  return `${council[0]}-${id}`;
}
