import type { CallTemplate, ResultPaths } from './call-template.js';
import type { Repeat } from './repeat.js';

export interface WriteCall extends CallTemplate {
  /** P4: how this write may be repeated. */
  readonly repeat: Repeat;
  /** What the step's result holds. `{…}` reads the scope, anything else the answer's body. */
  readonly result: ResultPaths;
  /** The result field that holds the provider's id of what was written. */
  readonly externalId: string;
  /** True where a 2xx without a body is an answer too. */
  readonly mayBeEmpty?: boolean;
}

type Rest = Omit<CallTemplate, 'method' | 'path'>;
type WriteRest = Omit<WriteCall, 'method' | 'path'>;

export const get = (path: string, rest: Rest = {}): CallTemplate => ({ method: 'GET', path, ...rest });
/** A POST that changes nothing, such as a look-up. */
export const ask = (path: string, rest: Rest = {}): CallTemplate => ({ method: 'POST', path, ...rest });
export const post = (path: string, rest: WriteRest): WriteCall => ({ method: 'POST', path, ...rest });
export const put = (path: string, rest: WriteRest): WriteCall => ({ method: 'PUT', path, ...rest });
export const patch = (path: string, rest: WriteRest): WriteCall => ({ method: 'PATCH', path, ...rest });
