import { PreconditionFailed, PreconditionMissing } from '../edge/errors.js';

export function entityTag(version: number): string {
  return `"${version}"`;
}

/** The version an update is based on; 0 when it creates. Without it two people would overwrite each other unseen (RFC 9110 §13.1). */
export function versionExpected(headers: { readonly ifMatch: string | undefined; readonly ifNoneMatch?: string | undefined }, current: number): number {
  if (headers.ifMatch === undefined && headers.ifNoneMatch === undefined) {
    if (current === 0) return 0;
    throw PreconditionMissing.because(`its ETag is ${entityTag(current)}`);
  }
  const isMet = headers.ifMatch === undefined ? headers.ifNoneMatch?.trim() === '*' && current === 0 : headers.ifMatch.trim() === entityTag(current) && current > 0;
  if (!isMet) throw PreconditionFailed.because(current === 0 ? 'it does not exist' : `its ETag is ${entityTag(current)}`);
  return current;
}
