import { hashOf, uuidFrom } from '@trunkline/contracts';
import { RequestInvalid } from '../edge/errors.js';

/** An Idempotency-Key makes the id of what a POST creates a function of the key, so that a repeat finds the first one instead of making a second; nothing is stored for it. */
export function checkedIdempotencyKey(key: string | undefined): string | null {
  if (key === undefined) return null;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) throw RequestInvalid.because('idempotency-key is 1 to 255 visible ASCII characters');
  return key;
}

export function idUnder(thing: string, organisationId: string, key: string | null): string {
  return key === null ? crypto.randomUUID() : uuidFrom(hashOf('idempotency', thing, organisationId, key));
}
