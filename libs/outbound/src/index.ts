export type { AddressPolicy, PublicInternetOptions, Resolve, Scheme } from './address-policy.js';
export { allowEverywhere, publicInternet } from './address-policy.js';
export type { AllowedPlace } from './allowed-places.js';
export { parseAllowedPlace } from './allowed-places.js';
export type { Clock, Deadline } from './deadline.js';
export { startDeadline, systemClock } from './deadline.js';
export type { Answer, Exchange, Failure, FailureReason, OutboundRequest } from './exchange.js';
export type { Outbound, OutboundOptions } from './outbound.js';
export { createOutbound } from './outbound.js';
