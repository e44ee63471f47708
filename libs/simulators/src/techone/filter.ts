/** The report filter of a RaaS call: `Field = "x" and Other > 5`, with `or` and brackets (seen in public client code, 2026-11-20). */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'test'; readonly field: string; readonly operator: Operator; readonly value: string | number };

type Operator = '=' | '<>' | '<' | '<=' | '>' | '>=' | 'like';

const token = /\s*(?:(<>|!=|<=|>=|=|<|>|\(|\))|"((?:[^"]|"")*)"|'((?:[^']|'')*)'|(-?\d+(?:\.\d+)?)(?![\w])|([A-Za-z_]\w*))/y;

type Token = { readonly kind: 'sign' | 'text' | 'number' | 'word'; readonly text: string };

export class FilterSyntax extends Error {
  override readonly name = 'FilterSyntax';
}

export function parseFilter(text: string): Filter | undefined {
  const tokens = tokensOf(text);
  if (tokens.length === 0) return undefined;
  const reader = new Reader(tokens);
  const filter = either(reader);
  if (reader.peek() !== undefined) throw new FilterSyntax(`unexpected ${reader.peek()?.text ?? ''}`);
  return filter;
}

/** Fields a filter names, to refuse those the report has no column for. */
export function fieldsOf(filter: Filter): readonly string[] {
  return filter.kind === 'test' ? [filter.field] : filter.parts.flatMap(fieldsOf);
}

/** A value every match must have in this field, if the filter says one: lets the caller use an index. */
export function requiredValue(filter: Filter, field: string): string | undefined {
  if (filter.kind === 'test') return filter.operator === '=' && filter.field === field ? String(filter.value) : undefined;
  if (filter.kind === 'or') return undefined;
  return filter.parts.map((part) => requiredValue(part, field)).find((value) => value !== undefined);
}

export function matches(filter: Filter, row: Readonly<Record<string, unknown>>): boolean {
  if (filter.kind === 'test') return holds(filter.operator, row[filter.field], filter.value);
  return filter.kind === 'and' ? filter.parts.every((part) => matches(part, row)) : filter.parts.some((part) => matches(part, row));
}

function holds(operator: Operator, actual: unknown, wanted: string | number): boolean {
  const order = compare(actual, wanted);
  switch (operator) {
    case '=':
      return order === 0;
    case '<>':
      return order !== 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case 'like':
      return like(String(actual ?? ''), String(wanted));
  }
}

function compare(actual: unknown, wanted: string | number): number {
  if (actual === null || actual === undefined) return wanted === '' ? 0 : -1;
  if (typeof wanted === 'number') return Math.sign(Number(actual) - wanted);
  const text = String(actual);
  return text === wanted ? 0 : text < wanted ? -1 : 1;
}

function like(text: string, pattern: string): boolean {
  const pieces = pattern.toLowerCase().split('%');
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    const found = text.toLowerCase().indexOf(piece, at);
    if (found === -1 || (index === 0 && found !== 0)) return false;
    at = found + piece.length;
  }
  return pattern.endsWith('%') || at === text.length || text.toLowerCase().endsWith(pieces.at(-1) ?? '');
}

class Reader {
  private at = 0;
  constructor(private readonly tokens: readonly Token[]) {}

  peek(): Token | undefined {
    return this.tokens[this.at];
  }

  next(): Token {
    const found = this.tokens[this.at];
    if (found === undefined) throw new FilterSyntax('the filter ends too early');
    this.at += 1;
    return found;
  }

  takeWord(word: string): boolean {
    const isNext = this.peek()?.kind === 'word' && this.peek()?.text.toLowerCase() === word;
    if (isNext) this.at += 1;
    return isNext;
  }
}

function either(reader: Reader): Filter {
  const parts = [both(reader)];
  while (reader.takeWord('or')) parts.push(both(reader));
  return only(parts) ?? { kind: 'or', parts };
}

function both(reader: Reader): Filter {
  const parts = [test(reader)];
  while (reader.takeWord('and')) parts.push(test(reader));
  return only(parts) ?? { kind: 'and', parts };
}

function only(parts: readonly Filter[]): Filter | undefined {
  return parts.length === 1 ? parts[0] : undefined;
}

function test(reader: Reader): Filter {
  const first = reader.next();
  if (first.kind === 'sign' && first.text === '(') {
    const inner = either(reader);
    if (reader.next().text !== ')') throw new FilterSyntax('a bracket is not closed');
    return inner;
  }
  if (first.kind !== 'word') throw new FilterSyntax(`${first.text} is not a field`);
  const sign = reader.next();
  const value = reader.next();
  if (value.kind === 'sign') throw new FilterSyntax(`${value.text} is not a value`);
  return { kind: 'test', field: first.text, operator: operatorOf(sign), value: value.kind === 'number' ? Number(value.text) : value.text };
}

function operatorOf({ text }: Token): Operator {
  const operator = text === '!=' ? '<>' : text.toLowerCase();
  if (operator === '=' || operator === '<>' || operator === '<' || operator === '<=' || operator === '>' || operator === '>=' || operator === 'like') return operator;
  throw new FilterSyntax(`${text} is not an operator`);
}

function tokensOf(text: string): readonly Token[] {
  const found: Token[] = [];
  const trimmed = text.trimEnd();
  token.lastIndex = 0;
  while (token.lastIndex < trimmed.length) {
    const match = token.exec(trimmed);
    if (match === null) throw new FilterSyntax('the filter cannot be read');
    const [, sign, double, single, number, word] = match;
    if (sign !== undefined) found.push({ kind: 'sign', text: sign });
    else if (number !== undefined) found.push({ kind: 'number', text: number });
    else if (word !== undefined) found.push({ kind: 'word', text: word });
    else found.push({ kind: 'text', text: (double?.replaceAll('""', '"') ?? single?.replaceAll("''", "'")) ?? '' });
  }
  return found;
}
