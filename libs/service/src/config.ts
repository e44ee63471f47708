import { ConfigInvalid } from './errors.js';

/** One environment variable: its name, what it is for, and how its text becomes a value. `parse` throws with what was expected, never with the text itself: it may be a secret. */
export interface Setting<T> {
  readonly variable: string;
  readonly purpose: string;
  readonly parse: (text: string) => T;
  /** Absent: the variable must be set. */
  readonly otherwise?: { readonly value: T };
}

export type ConfigSchema = Readonly<Record<string, Setting<unknown>>>;
/** A setting that may be undefined may also be left out where a configuration is written by hand. */
export type Config<S extends ConfigSchema> = { readonly [name in keyof S as undefined extends ValueOf<S[name]> ? never : name]: ValueOf<S[name]> } & { readonly [name in keyof S as undefined extends ValueOf<S[name]> ? name : never]?: ValueOf<S[name]> };
type ValueOf<S> = S extends Setting<infer T> ? T : never;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads every variable of the schema at once and refuses with all that are missing or wrong. An empty variable counts as not set. */
export function readConfig<S extends ConfigSchema>(schema: S, environment: Environment = process.env): Config<S> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(schema)) {
    const text = environment[setting.variable]?.trim() ?? '';
    try {
      values[name] = text === '' ? absent(setting) : setting.parse(text);
    } catch (error) {
      problems.push(`${setting.variable} (${setting.purpose}) ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw ConfigInvalid.because(problems.join('; '), { variables: problems.map((problem) => problem.split(' ')[0]) });
  return values as Config<S>;
}

function absent(setting: Setting<unknown>): unknown {
  if (setting.otherwise === undefined) throw new Error('is not set');
  return setting.otherwise.value;
}

/** Gives a setting a value for when its variable is not set. */
export function optional<T, D>(setting: Setting<T>, value: D): Setting<T | D> {
  return { ...setting, otherwise: { value } };
}

export function text(variable: string, purpose: string): Setting<string> {
  return { variable, purpose, parse: (given) => given };
}

export function integer(variable: string, purpose: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {}): Setting<number> {
  return {
    variable,
    purpose,
    parse: (given) => {
      const value = Number(given);
      if (!/^-?\d+$/.test(given) || value < min || value > max) throw new Error(`must be a whole number from ${min} to ${max}`);
      return value;
    },
  };
}

export function port(variable: string, purpose: string): Setting<number> {
  return integer(variable, purpose, { min: 0, max: 65_535 });
}

export function choice<const T extends string>(variable: string, purpose: string, choices: readonly T[]): Setting<T> {
  return {
    variable,
    purpose,
    parse: (given) => {
      const found = choices.find((one) => one === given);
      if (found === undefined) throw new Error(`must be one of ${choices.join(', ')}`);
      return found;
    },
  };
}

export function flag(variable: string, purpose: string): Setting<boolean> {
  const words = { true: true, yes: true, '1': true, on: true, false: false, no: false, '0': false, off: false } as const;
  return { variable, purpose, parse: (given) => words[choice(variable, purpose, Object.keys(words) as (keyof typeof words)[]).parse(given.toLowerCase())] };
}

/** Comma-separated, at least one. */
export function list(variable: string, purpose: string, entry: RegExp = /./): Setting<readonly string[]> {
  return {
    variable,
    purpose,
    parse: (given) => {
      const entries = given.split(',').map((one) => one.trim()).filter((one) => one !== '');
      const wrong = entries.findIndex((one) => !entry.test(one));
      if (entries.length === 0 || wrong >= 0) throw new Error(`must be a comma-separated list${wrong >= 0 ? `; entry ${wrong + 1} is malformed` : ''}`);
      return entries;
    },
  };
}

export function address(variable: string, purpose: string, schemes: readonly string[]): Setting<string> {
  return {
    variable,
    purpose,
    parse: (given) => {
      const scheme = URL.canParse(given) ? new URL(given).protocol.replace(':', '') : '';
      if (!schemes.includes(scheme)) throw new Error(`must be an address starting with ${schemes.map((one) => `${one}://`).join(' or ')}`);
      return given;
    },
  };
}
