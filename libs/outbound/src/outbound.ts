import { publicInternet, refusalOfLiteral, resolveBySystem, schemeOf, type AddressPolicy, type Resolve } from './address-policy.js';
import type { Exchange, FailureInside, OutboundRequest } from './exchange.js';
import { addressNotAllowed } from './failure-told.js';
import { Pools } from './pools.js';
import { send } from './send.js';

export interface OutboundOptions {
  /** The public internet by https when absent. */
  readonly policy?: AddressPolicy;
  readonly resolve?: Resolve;
  readonly connectionsPerOrigin?: number;
  readonly maxAnswerBytes?: number;
  readonly ca?: string;
  /** What exactly failed where a tenant is told less. */
  readonly onFailure?: (failure: FailureInside) => void;
}

/** The one way out of the platform. Never rejects, follows no redirect, repeats nothing by itself. */
export interface Outbound {
  request(request: OutboundRequest): Promise<Exchange>;
  /** Cuts what is in flight. */
  close(): Promise<void>;
}

const megabyte = 1024 * 1024;

export function createOutbound(options: OutboundOptions = {}): Outbound {
  const policy = options.policy ?? publicInternet();
  const maxAnswerBytes = options.maxAnswerBytes ?? megabyte;
  const pools = new Pools({ connectionsPerOrigin: options.connectionsPerOrigin ?? 512, policy, resolve: options.resolve ?? resolveBySystem, ...(options.ca === undefined ? {} : { ca: options.ca }) });
  const onFailure = options.onFailure ?? (() => undefined);
  let isClosed = false;
  const refused = (reason: 'closed' | 'address-refused', detail: string): Exchange => ({ kind: 'failed', reason, firstByteLeft: false, detail, status: null, durationMs: 0 });
  return {
    async request(request) {
      if (isClosed) return refused('closed', 'the outbound client of this process is closed');
      const refusal = refusalOfLiteral(policy, request.url);
      const scheme = schemeOf(request.url);
      if (refusal !== null || scheme === null) {
        onFailure({ host: request.url.host, reason: 'address-refused', detail: refusal ?? 'the scheme is not http or https' });
        return refused('address-refused', addressNotAllowed);
      }
      const headers = { 'accept-encoding': 'identity', 'user-agent': 'trunkline', ...request.headers };
      return send(pools.of(request.url, scheme), { ...request, headers }, maxAnswerBytes, onFailure);
    },
    async close() {
      isClosed = true;
      await pools.destroy();
    },
  };
}
