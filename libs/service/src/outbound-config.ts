import { createOutbound, parseAllowedPlace, publicInternet, type AllowedPlace, type Outbound } from '@trunkline/outbound';
import { integer, list, optional, type Setting } from './config.js';

function each<T>({ variable, purpose, parse: split }: Setting<readonly string[]>, parse: (entry: string) => T): Setting<readonly T[]> {
  return { variable, purpose, parse: (given) => split(given).map(parse) };
}

const portNumber = integer('OUTBOUND_PORTS', '', { min: 1, max: 65_535 });

/** The two variables by which an operator widens what customers' addresses may lead to. */
export const outboundSchema = {
  outboundAllow: optional(each(list('OUTBOUND_ALLOW', 'ranges beside the public internet that providers may be reached at, by http too: 10.20.0.0/16:8443, [fd00:1::]/48'), parseAllowedPlace), [] as readonly AllowedPlace[]),
  outboundPorts: optional(each(list('OUTBOUND_PORTS', 'ports on the public internet that https may go to'), portNumber.parse), [443] as readonly number[]),
};

export interface OutboundConfig {
  readonly outboundAllow: readonly AllowedPlace[];
  readonly outboundPorts: readonly number[];
}

interface OutboundLogger {
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
  debug(facts: Readonly<Record<string, unknown>>, message: string): void;
}

/** The one way out of this process, under the operator's policy. */
export function openOutbound({ outboundAllow, outboundPorts }: OutboundConfig, logger?: OutboundLogger): Outbound {
  return createOutbound({
    policy: publicInternet({ allowed: outboundAllow, ports: outboundPorts }),
    onFailure: (failure) => (failure.reason === 'address-refused' ? logger?.warn({ ...failure }, 'an address was not allowed') : logger?.debug({ ...failure }, 'a request to a provider failed')),
  });
}
