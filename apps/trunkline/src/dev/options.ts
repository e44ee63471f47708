/** What `trunkline dev` (that is `npm start`) was asked for. */
export interface DevOptions {
  /** Rows to replay as fast as they are accepted; absent: the trickle. */
  readonly replay?: number;
  readonly exit: boolean;
  readonly file?: string;
  readonly output: 'table' | 'json';
  /** `local`, or brokers as host:port,host:port; absent: the log in PostgreSQL. */
  readonly kafka?: string;
  readonly port: number;
  /** Events per second of the trickle. */
  readonly rate: number;
  readonly ordering: 'subject' | 'none';
  /** The simulated providers take everything, each answer after `latencyMs`; a replay lifts the limits too. */
  readonly bench?: { readonly latencyMs: number; readonly consumers: 'at once' | 'later' };
}
