import type { IncomingHttpHeaders } from 'node:http';

/** One request to the provider's side, as a handler sees it. */
export class Call {
  private parsedQuery: URLSearchParams | undefined;

  constructor(
    readonly method: string,
    readonly path: string,
    private readonly queryText: string,
    readonly headers: IncomingHttpHeaders,
    readonly rawBody: string,
    /** Simulator clock. */
    readonly at: number,
    readonly requestId: string,
    readonly operation: string,
    readonly parameters: Readonly<Record<string, string>>,
    /** How long a write stays hidden from searches, for this call. */
    readonly searchLagMs: number,
  ) {}

  get query(): URLSearchParams {
    return (this.parsedQuery ??= new URLSearchParams(this.queryText));
  }

  get pathAndQuery(): string {
    return this.queryText === '' ? this.path : `${this.path}?${this.queryText}`;
  }

  get form(): URLSearchParams {
    return new URLSearchParams(this.rawBody);
  }

  /** The address the caller used, so that links in answers lead back here. */
  get origin(): string {
    return `http://${this.headers.host ?? 'localhost'}`;
  }

  parameter(name: string): string {
    return this.parameters[name] ?? '';
  }

  wholeNumber(name: string, fallback: number): number {
    const text = this.query.get(name);
    if (text === null || text === '') return fallback;
    return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  }

  happeningAt(at: number): Call {
    return new Call(this.method, this.path, this.queryText, this.headers, this.rawBody, at, this.requestId, this.operation, this.parameters, this.searchLagMs);
  }

  /** The same request seen as one of several in a batch. */
  as(operation: string, parameters: Readonly<Record<string, string>>, method = this.method, path = this.path, queryText = '', rawBody = ''): Call {
    return new Call(method, path, queryText, this.headers, rawBody, this.at, this.requestId, operation, parameters, this.searchLagMs);
  }
}

export interface Reply {
  readonly status: number;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, with `contentType`. */
  readonly text?: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown by a handler to answer with an error of the provider. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(readonly reply: Reply) {
    super(`refused with ${reply.status}`);
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
