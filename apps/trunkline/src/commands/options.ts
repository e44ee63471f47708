import { type Command, InvalidArgumentError } from 'commander';
import { Api } from '../client/api.js';
import { parseFormat } from '../client/output.js';
import { findTarget, type Target } from '../client/target.js';

export function withOutput(command: Command): Command {
  return command.option('--output <format>', 'table, json or ndjson', parseFormat, 'table');
}

export function withPaging(command: Command): Command {
  return withOutput(command).option('--limit <number>', 'how many at most', wholeNumber, 20).option('--after <cursor>', 'where the page before ended');
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is needed.');
  return value;
}

/** Runs `work` with the API of the platform found, and closes its connections. */
export async function withApi<Result>(work: (api: Api, target: Target) => Promise<Result>): Promise<Result> {
  const target = findTarget();
  const api = new Api(target);
  try {
    return await work(api, target);
  } finally {
    await api.close();
  }
}

export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('at least 1.');
  return value;
}
