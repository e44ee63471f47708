import { format, inspect } from 'node:util';
import { Secret } from './secret.js';

it('prints a secret nowhere', () => {
  const secret = new Secret('hunter2');
  const printed = [String(secret), `${secret}`, secret + '', JSON.stringify({ secret }), inspect({ secret }, { showHidden: true, depth: null }), format('%o %O %s %j', secret, secret, secret, secret), JSON.stringify(Object.entries(secret)), JSON.stringify({ ...secret })];
  expect(printed.join('\n')).not.toContain('hunter2');
  expect(String(secret)).toBe('[redacted]');
  expect(secret.reveal()).toBe('hunter2');
});
