import Table from 'cli-table3';
import { CommandUsage } from './failure.js';

export const outputFormats = ['table', 'json', 'ndjson'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export type Row = Readonly<Record<string, unknown>>;

export function parseFormat(value: string): OutputFormat {
  const format = outputFormats.find((known) => known === value);
  if (format === undefined) throw CommandUsage.because(`--output ${value}: use table, json or ndjson`);
  return format;
}

/** Data goes to stdout. A table shows the named columns; json and ndjson show everything. */
export function print(rows: readonly Row[], columns: readonly string[], format: OutputFormat, whenEmpty: string): void {
  if (format === 'json') write(JSON.stringify(rows, null, 2));
  else if (format === 'ndjson') for (const row of rows) write(JSON.stringify(row));
  else if (rows.length === 0) say(whenEmpty);
  else write(tableOf(rows, columns));
}

export function printOne(value: unknown, format: OutputFormat, text: () => string): void {
  write(format === 'table' ? text() : JSON.stringify(value, null, format === 'json' ? 2 : undefined));
}

function tableOf(rows: readonly Row[], columns: readonly string[]): string {
  const table = new Table({
    head: columns.map((name) => name.replaceAll('_', ' ')),
    style: { head: [], border: [] },
    chars: { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' ' },
  });
  for (const row of rows) table.push(columns.map((name) => cell(row[name])));
  return table.toString();
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Chatter goes to stderr, so that stdout can be piped. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
