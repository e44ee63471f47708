import type { Template } from './template.js';

/** One request as data. Values in path and query are URL-encoded; `form` is sent as application/x-www-form-urlencoded. */
export interface CallTemplate {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Template;
}

/** Result fields by name, each a path in the answer's body. */
export type ResultPaths = Readonly<Record<string, string>>;
