import { FilterInvalid } from '../errors.js';

/** Where a page ended: the time of its last row in microseconds, and its id. */
export interface Cursor {
  readonly timeUs: string;
  readonly id: string;
}

export function encodeCursor({ timeUs, id }: Cursor): string {
  return Buffer.from(`${timeUs} ${id}`).toString('base64url');
}

export function decodeCursor(text: string | undefined): Cursor | null {
  if (text === undefined) return null;
  const found = /^(\d{1,18}) ([0-9a-f-]{36})$/.exec(Buffer.from(text, 'base64url').toString('latin1'));
  if (found?.[1] === undefined || found[2] === undefined) throw FilterInvalid.because('the page marker is not one that was given out');
  return { timeUs: found[1], id: found[2] };
}
