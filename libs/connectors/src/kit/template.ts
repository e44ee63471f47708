import type { Json } from '@trunkline/chain';

/**
 * JSON with placeholders in its texts and field names: `{input.name}`, `{input.type|settings.type}` (the first that has a value), `{input.name?}` (may be absent).
 * A text that is nothing but one placeholder takes the value as it is.
 */
export type Template = Json;

export type Scope = Readonly<Record<string, unknown>>;

/** A placeholder that had to have a value and has none. */
export class TemplateGap extends Error {
  override readonly name = 'TemplateGap';
  constructor(readonly path: string) {
    super(`{${path}} has no value`);
  }
}

const placeholder = /\{([A-Za-z_][\w.[\]|]*)(\?)?\}/g;
const onlyPlaceholder = /^\{([A-Za-z_][\w.[\]|]*)(\?)?\}$/;

/** Fields whose placeholder is optional and absent are left out, and so are objects of which nothing is left. */
export function render(template: Template, scope: Scope): Json | undefined {
  if (typeof template === 'string') return renderString(template, scope);
  if (Array.isArray(template)) return template.map((item: Template) => render(item, scope)).filter((item) => item !== undefined);
  if (template === null || typeof template !== 'object') return template;
  const fields = Object.entries(template).map(([name, value]) => [renderText(name, scope), render(value, scope)] as const);
  const kept = fields.filter((field): field is [string, Json] => field[1] !== undefined);
  return kept.length === 0 && fields.length > 0 ? undefined : Object.fromEntries(kept);
}

function renderString(template: string, scope: Scope): Json | undefined {
  if (!template.includes('{')) return template;
  const whole = onlyPlaceholder.exec(template);
  if (whole === null) return renderText(template, scope);
  const value = firstOf(scope, whole[1] ?? '');
  if (value !== undefined) return value as Json;
  if (whole[2] === '?') return undefined;
  throw new TemplateGap(whole[1] ?? '');
}

export function renderText(template: string, scope: Scope, encode: (text: string) => string = String): string {
  // Most texts, and nearly all names of fields, hold no placeholder.
  if (!template.includes('{')) return template;
  return template.replaceAll(placeholder, (_all, path: string, optional: string | undefined) => {
    const value = firstOf(scope, path);
    if (value !== undefined) return encode(typeof value === 'string' ? value : JSON.stringify(value));
    if (optional === '?') return '';
    throw new TemplateGap(path);
  });
}

function firstOf(scope: Scope, paths: string): unknown {
  for (const path of paths.split('|')) {
    const value = read(scope, path);
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** The first of several templates that has all its values. */
export function renderFirst(templates: readonly string[], scope: Scope): string {
  let gap: TemplateGap | null = null;
  for (const template of templates) {
    try {
      return renderText(template, scope);
    } catch (error) {
      if (!(error instanceof TemplateGap)) throw error;
      gap = error;
    }
  }
  throw gap ?? new TemplateGap('');
}

/** `Items[0].Number` in a parsed answer; own properties only. */
export function read(value: unknown, path: string): unknown {
  let current = value;
  for (const name of namesOf(path)) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, name)) return undefined;
    current = (current as Readonly<Record<string, unknown>>)[name];
  }
  return current;
}

/** Paths come from definitions and settings, few and always the same; the limit is for definitions that are written at run time. */
const pathsKept = 5_000;
const namesByPath = new Map<string, readonly string[]>();

function namesOf(path: string): readonly string[] {
  const known = namesByPath.get(path);
  if (known !== undefined) return known;
  const names = path.split(/[.[\]]+/).filter((part) => part !== '');
  if (namesByPath.size >= pathsKept) namesByPath.clear();
  namesByPath.set(path, names);
  return names;
}
