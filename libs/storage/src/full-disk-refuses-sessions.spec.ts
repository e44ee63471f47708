import { classifyFailure, isDatabaseAway } from './failure.js';

/** A server whose disk is full refuses new sessions with an error of its own; taken for a mistake of ours, it became a 500 instead of a 503, and remembered keys were not used. */
describe('a database whose disk is full', () => {
  const full = (severity: string, message: string) => Object.assign(new Error(message), { code: '53100', severity });

  it('is away for whoever needs a new session', () => {
    const refused = full('FATAL', 'could not write init file: No space left on device');
    expect(isDatabaseAway(refused)).toBe(true);
    expect(classifyFailure(refused, 'connecting')).toMatchObject({ code: 'storage.unavailable' });
  });

  it('is there, and full, for a session that writes', () => {
    const refused = full('ERROR', 'could not extend file "base/1/2": No space left on device');
    expect(isDatabaseAway(refused)).toBe(false);
    expect(classifyFailure(refused, 'in a transaction')).toMatchObject({ code: 'storage.full' });
  });
});
