/** A field of the form by which an administrator connects a provider. */
export interface FormField {
  readonly name: string;
  readonly label: string;
  readonly help: string;
  readonly kind: 'text' | 'url' | 'host' | 'number' | 'choice';
  readonly choices?: readonly string[];
  readonly required: boolean;
  readonly secret: boolean;
  readonly default?: string | number;
}

type Rest = { readonly help?: string; readonly required?: boolean; readonly default?: string | number };

const field = (kind: FormField['kind'], secret: boolean) => (name: string, label: string, rest: Rest = {}): FormField => ({
  name,
  label,
  help: rest.help ?? '',
  kind,
  secret,
  required: rest.required ?? true,
  ...(rest.default === undefined ? {} : { default: rest.default }),
});

export const text = field('text', false);
export const url = field('url', false);
export const host = field('host', false);
export const number = field('number', false);
export const secret = field('text', true);

export const choice = (name: string, label: string, choices: readonly string[], rest: Rest = {}): FormField => ({ ...text(name, label, rest), kind: 'choice', choices });

/** Defaults of the form filled in below what was given. */
export function withDefaults(fields: readonly FormField[], given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const defaults = fields.filter((candidate) => candidate.default !== undefined).map(({ name, default: value }) => [name, value]);
  const known = Object.entries(given).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return { ...Object.fromEntries(defaults), ...Object.fromEntries(known) };
}

/** What is wrong with the given values, each as `name: why`. */
export function formProblems(fields: readonly FormField[], given: Readonly<Record<string, unknown>>): readonly string[] {
  return fields.flatMap((candidate) => {
    const value = given[candidate.name];
    if (value === undefined || value === null || value === '') return candidate.required && candidate.default === undefined ? [`${candidate.name}: ${candidate.label} is required`] : [];
    const problem = valueProblem(candidate, value);
    return problem === null ? [] : [`${candidate.name}: ${problem}`];
  });
}

function valueProblem({ kind, choices }: FormField, value: unknown): string | null {
  switch (kind) {
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? null : 'must be a number, zero or more';
    case 'url':
      return urlProblem(value);
    case 'host':
      return typeof value === 'string' && value.length <= 253 && /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(value) ? null : 'must be a domain name and nothing else';
    case 'choice':
      return typeof value === 'string' && (choices ?? []).includes(value) ? null : `must be one of ${(choices ?? []).join(', ')}`;
    case 'text':
      return typeof value === 'string' ? null : 'must be a text';
    default:
      return kind satisfies never;
  }
}

/** An address is shown, logged and entered in the trail: nothing secret may be a part of it. Never repeats the value. */
function urlProblem(value: unknown): string | null {
  if (typeof value !== 'string' || !URL.canParse(value) || !/^https?:/.test(value)) return 'must be an http or https address';
  const { username, password } = new URL(value);
  if (username !== '' || password !== '') return 'must not hold a user name or password';
  return /[?#]/.test(value) ? 'must not hold a query or a fragment' : null;
}
