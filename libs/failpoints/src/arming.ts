import { FailpointInvalid } from './errors.js';
import { failpoints, type FailpointName } from './names.js';

/** Where this process is to die, and at which passage. */
export interface Arming {
  readonly name: FailpointName;
  readonly nth: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Null when no point is armed. A wrong setting throws: a test of crashes that never crashes would pass. */
export function armingIn(environment: Environment): Arming | null {
  const text = environment['TRUNKLINE_FAILPOINT']?.trim() ?? '';
  if (text === '') return null;
  const [name = '', nth = '1', ...rest] = text.split(':');
  if (!isName(name)) throw FailpointInvalid.because(`there is no failpoint of the name given; there are ${Object.keys(failpoints).join(', ')}`);
  if (rest.length > 0 || !/^[1-9]\d{0,8}$/.test(nth)) throw FailpointInvalid.because('the number behind the colon must be a whole number from 1 on');
  // A trap left behind in somebody's environment must not make a production process die again and again.
  if (environment['NODE_ENV'] === 'production' && environment['TRUNKLINE_FAILPOINT_IN_PRODUCTION'] !== 'yes') throw FailpointInvalid.because('this is a production process');
  return { name, nth: Number(nth) };
}

function isName(text: string): text is FailpointName {
  return Object.hasOwn(failpoints, text);
}
