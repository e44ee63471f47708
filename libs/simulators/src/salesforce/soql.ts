/** A small part of SOQL: SELECT … FROM one object, WHERE with AND/OR/NOT, IN and LIKE, ORDER BY, LIMIT, OFFSET. */
export interface Query {
  readonly fields: readonly string[] | 'count()' | 'all';
  readonly object: string;
  readonly where?: Condition;
  readonly order: readonly { readonly field: string; readonly isDescending: boolean }[];
  readonly limit?: number;
  readonly offset: number;
}

export type Literal = string | number | boolean | null | { readonly time: number };

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | { readonly kind: 'test'; readonly field: string; readonly operator: string; readonly values: readonly Literal[] };

export class SoqlSyntax extends Error {
  override readonly name = 'SoqlSyntax';
}

const token = /\s*(?:('(?:[^'\\]|\\.)*')|(\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})|\d{4}-\d{2}-\d{2})|(-?\d+(?:\.\d+)?)|(!=|<>|<=|>=|[=<>(),])|([A-Za-z_][\w.]*))/y;

type Token = { readonly kind: 'text' | 'time' | 'number' | 'sign' | 'word'; readonly text: string };

export function parseSoql(text: string): Query {
  const reader = new Reader(tokensOf(text));
  reader.word('select');
  const fields = readFields(reader);
  reader.word('from');
  const object = reader.name();
  if (reader.peekWord() !== undefined && !isClause(reader.peekWord() ?? '')) reader.name();
  const where = reader.take('where') ? either(reader) : undefined;
  const order = reader.take('order') ? (reader.word('by'), readOrder(reader)) : [];
  const limit = reader.take('limit') ? reader.number() : undefined;
  const offset = reader.take('offset') ? reader.number() : 0;
  reader.end();
  return { fields, object, order, offset, ...(where === undefined ? {} : { where }), ...(limit === undefined ? {} : { limit }) };
}

function isClause(word: string): boolean {
  return ['where', 'order', 'limit', 'offset'].includes(word);
}

function readFields(reader: Reader): Query['fields'] {
  const first = reader.name();
  if (reader.takeSign('(')) {
    const inside = reader.takeSign(')') ? '' : reader.name();
    if (inside !== '') reader.sign(')');
    if (first.toLowerCase() === 'count' && inside === '') return 'count()';
    if (first.toLowerCase() === 'fields') return 'all';
    throw new SoqlSyntax(`unexpected token: ${first}`);
  }
  const fields = [first];
  while (reader.takeSign(',')) fields.push(reader.name());
  return fields;
}

function readOrder(reader: Reader): Query['order'] {
  const order: { field: string; isDescending: boolean }[] = [];
  do {
    const field = reader.name();
    const isDescending = reader.take('desc');
    if (!isDescending) reader.take('asc');
    if (reader.take('nulls')) reader.name();
    order.push({ field, isDescending });
  } while (reader.takeSign(','));
  return order;
}

function either(reader: Reader): Condition {
  const parts = [both(reader)];
  while (reader.take('or')) parts.push(both(reader));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'or', parts };
}

function both(reader: Reader): Condition {
  const parts = [one(reader)];
  while (reader.take('and')) parts.push(one(reader));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'and', parts };
}

function one(reader: Reader): Condition {
  if (reader.take('not')) return { kind: 'not', part: one(reader) };
  if (reader.takeSign('(')) {
    const inner = either(reader);
    reader.sign(')');
    return inner;
  }
  const field = reader.name();
  const isNegated = reader.take('not');
  if (isNegated || reader.peekWord() === 'in') {
    reader.word('in');
    return { kind: 'test', field, operator: isNegated ? 'not in' : 'in', values: readList(reader) };
  }
  const operator = reader.take('like') ? 'like' : reader.comparison();
  return { kind: 'test', field, operator, values: [reader.literal()] };
}

function readList(reader: Reader): readonly Literal[] {
  reader.sign('(');
  const values = [reader.literal()];
  while (reader.takeSign(',')) values.push(reader.literal());
  reader.sign(')');
  return values;
}

class Reader {
  private at = 0;
  constructor(private readonly tokens: readonly Token[]) {}

  peekWord(): string | undefined {
    const next = this.tokens[this.at];
    return next?.kind === 'word' ? next.text.toLowerCase() : undefined;
  }

  take(word: string): boolean {
    const isNext = this.peekWord() === word;
    if (isNext) this.at += 1;
    return isNext;
  }

  word(word: string): void {
    if (!this.take(word)) throw this.unexpected();
  }

  name(): string {
    const next = this.tokens[this.at];
    if (next?.kind !== 'word') throw this.unexpected();
    this.at += 1;
    return next.text;
  }

  takeSign(sign: string): boolean {
    const next = this.tokens[this.at];
    const isNext = next?.kind === 'sign' && next.text === sign;
    if (isNext) this.at += 1;
    return isNext;
  }

  sign(sign: string): void {
    if (!this.takeSign(sign)) throw this.unexpected();
  }

  comparison(): string {
    const next = this.tokens[this.at];
    if (next?.kind !== 'sign' || ['(', ')', ','].includes(next.text)) throw this.unexpected();
    this.at += 1;
    return next.text === '<>' ? '!=' : next.text;
  }

  number(): number {
    const next = this.tokens[this.at];
    if (next?.kind !== 'number') throw this.unexpected();
    this.at += 1;
    return Number(next.text);
  }

  literal(): Literal {
    const next = this.tokens[this.at];
    if (next === undefined || next.kind === 'sign') throw this.unexpected();
    this.at += 1;
    if (next.kind === 'number') return Number(next.text);
    if (next.kind === 'time') return { time: Date.parse(next.text) };
    if (next.kind === 'text') return unescaped(next.text.slice(1, -1));
    const word = next.text.toLowerCase();
    if (word === 'true' || word === 'false') return word === 'true';
    if (word === 'null') return null;
    this.at -= 1;
    throw this.unexpected();
  }

  end(): void {
    if (this.at < this.tokens.length) throw this.unexpected();
  }

  private unexpected(): SoqlSyntax {
    return new SoqlSyntax(`unexpected token: ${this.tokens[this.at]?.text ?? '<EOF>'}`);
  }
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_whole, character: string) => ({ n: '\n', r: '\r', t: '\t' })[character] ?? character);
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const trimmed = text.trimEnd();
  token.lastIndex = 0;
  while (token.lastIndex < trimmed.length) {
    const from = token.lastIndex;
    const match = token.exec(trimmed);
    if (match === null) throw new SoqlSyntax(`unexpected char at position ${from}`);
    const [, quoted, time, number, sign, word] = match;
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted });
    else if (time !== undefined) tokens.push({ kind: 'time', text: time });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
    else tokens.push({ kind: 'word', text: word ?? '' });
  }
  return tokens;
}
