import { MappingError } from './problem.js';

const parts = { yyyy: '\\d{4}', MM: '\\d{2}', dd: '\\d{2}', HH: '\\d{2}', mm: '\\d{2}', ss: '\\d{2}', SSS: '\\d{3}' } as const;
type Part = keyof typeof parts;
const token = /yyyy|SSS|MM|dd|HH|mm|ss/g;

/** Rewrites a date from one format to another, in UTC. Formats are `iso`, `epoch` (seconds), `epochMs`, or a pattern of yyyy MM dd HH mm ss SSS. */
export function rewriteDate(value: unknown, from: string, to: string): string | number {
  const ms = readDate(value, from);
  if (to === 'iso') return new Date(ms).toISOString();
  if (to === 'epoch') return Math.floor(ms / 1000);
  if (to === 'epochMs') return ms;
  const iso = new Date(ms).toISOString();
  const fields: Readonly<Record<Part, string>> = { yyyy: iso.slice(0, 4), MM: iso.slice(5, 7), dd: iso.slice(8, 10), HH: iso.slice(11, 13), mm: iso.slice(14, 16), ss: iso.slice(17, 19), SSS: iso.slice(20, 23) };
  return to.replace(token, (part) => fields[part as Part]);
}

function readDate(value: unknown, from: string): number {
  const text = String(value);
  if (from === 'epoch') return checked(Number(text) * 1000, text, from);
  if (from === 'epochMs') return checked(Number(text), text, from);
  if (from === 'iso') return checked(/^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN, text, from);
  const order: Part[] = [];
  const pattern = from.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(token, (part) => (order.push(part as Part), `(${parts[part as Part]})`));
  const match = new RegExp(`^${pattern}$`).exec(text);
  const field = (part: Part, otherwise: string): string => match?.[order.indexOf(part) + 1] ?? otherwise;
  if (match === null || !order.includes('yyyy')) return checked(Number.NaN, text, from);
  const time = `T${order.includes('HH') ? field('HH', '00') : '00'}:${order.includes('mm') ? field('mm', '00') : '00'}:${order.includes('ss') ? field('ss', '00') : '00'}.${order.includes('SSS') ? field('SSS', '000') : '000'}Z`;
  return checked(Date.parse(`${field('yyyy', '')}-${order.includes('MM') ? field('MM', '01') : '01'}-${order.includes('dd') ? field('dd', '01') : '01'}${time}`), text, from);
}

function checked(ms: number, text: string, from: string): number {
  if (Number.isFinite(ms) && Math.abs(ms) <= 8.64e15) return ms;
  throw new MappingError('expression.failed', `${JSON.stringify(text.slice(0, 40))} is not a date of the form ${from}`);
}
