import { NotFound } from '../edge/errors.js';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id that cannot exist is not found, like one that belongs to somebody else. */
export function checkedId(id: string, thing: string): string {
  if (!uuid.test(id)) throw NotFound.because(`${thing} ${id.slice(0, 100)}`);
  return id.toLowerCase();
}
