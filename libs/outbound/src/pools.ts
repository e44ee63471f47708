import type { Socket } from 'node:net';
import { Pool, buildConnector } from 'undici';
import { guardedLookup, portOf, type AddressPolicy, type Resolve, type Scheme } from './address-policy.js';

export interface PoolOptions {
  readonly connectionsPerOrigin: number;
  readonly policy: AddressPolicy;
  readonly resolve: Resolve;
  /** TLS roots beyond the system's, for providers inside a private network. */
  readonly ca?: string;
}

/** One undici Pool per origin. */
export class Pools {
  private readonly byOrigin = new Map<string, Pool>();

  constructor(private readonly options: PoolOptions) {}

  of(url: URL, scheme: Scheme): Pool {
    const known = this.byOrigin.get(url.origin);
    if (known !== undefined) return known;
    const pool = new Pool(url.origin, {
      connections: this.options.connectionsPerOrigin,
      // A second request behind an unanswered write would share its fate.
      pipelining: 1,
      // The deadline of each request takes the place of both.
      headersTimeout: 0,
      bodyTimeout: 0,
      // Below the five seconds after which common servers close an idle connection: a write must not race with that.
      keepAliveTimeout: 3_000,
      keepAliveMaxTimeout: 60_000,
      allowH2: false,
      connect: this.connector(portOf(url), scheme),
    });
    this.byOrigin.set(url.origin, pool);
    return pool;
  }

  async destroy(): Promise<void> {
    const pools = [...this.byOrigin.values()];
    this.byOrigin.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private connector(port: number, scheme: Scheme): buildConnector.connector {
    const connect = buildConnector({ allowH2: false, lookup: guardedLookup(this.options.policy, port, scheme, this.options.resolve), ...(this.options.ca === undefined ? {} : { ca: this.options.ca }) });
    return (options, callback) => {
      connect(options, (...[error, socket]) => {
        if (error !== null) return callback(error, null);
        if (socket === null) return callback(new Error('the connector gave neither a socket nor an error'), null);
        resetWhenAborted(socket);
        callback(null, socket);
      });
    };
  }
}

/**
 * undici ends the socket of an aborted request with an orderly close, which still delivers what waits in the kernel's send buffer.
 * A reset throws that away. A TLS socket has no reset of its own and is closed.
 */
function resetWhenAborted(socket: Socket): void {
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error?: Error) => {
    const isAbort = error !== undefined && 'code' in error && error.code === 'UND_ERR_INFO' && error.message === 'aborted';
    if (isAbort && !('encrypted' in socket) && !socket.destroyed) socket.resetAndDestroy();
    return destroy(error);
  };
}
