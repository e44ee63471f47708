import { allowEverywhere, refusalOfLiteral, type AddressPolicy } from './address-policy.js';
import type { Exchange, OutboundRequest } from './exchange.js';
import { Pools } from './pools.js';
import { send } from './send.js';

export interface OutboundOptions {
  readonly policy?: AddressPolicy;
  readonly connectionsPerOrigin?: number;
  readonly maxAnswerBytes?: number;
  readonly ca?: string;
}

/** The one way out of the platform. Never rejects, follows no redirect, repeats nothing by itself. */
export interface Outbound {
  request(request: OutboundRequest): Promise<Exchange>;
  /** Cuts what is in flight. */
  close(): Promise<void>;
}

const megabyte = 1024 * 1024;

export function createOutbound(options: OutboundOptions = {}): Outbound {
  const policy = options.policy ?? allowEverywhere;
  const maxAnswerBytes = options.maxAnswerBytes ?? megabyte;
  const pools = new Pools({ connectionsPerOrigin: options.connectionsPerOrigin ?? 512, policy, ...(options.ca === undefined ? {} : { ca: options.ca }) });
  let isClosed = false;
  const refused = (reason: 'closed' | 'address-refused', detail: string): Exchange => ({ kind: 'failed', reason, firstByteLeft: false, detail, status: null, durationMs: 0 });
  return {
    async request(request) {
      if (isClosed) return refused('closed', 'the outbound client of this process is closed');
      const refusal = refusalOfLiteral(policy, request.url);
      if (refusal !== null) return refused('address-refused', refusal);
      const headers = { 'accept-encoding': 'identity', 'user-agent': 'trunkline', ...request.headers };
      return send(pools.of(request.url), { ...request, headers }, maxAnswerBytes);
    },
    async close() {
      isClosed = true;
      await pools.destroy();
    },
  };
}
