import { Concealment } from './concealment.js';

describe('what a provider repeats of our secrets', () => {
  const concealment = new Concealment({ client_id: 'abc', client_secret: 's"cret/+value', region: 'au' });

  it.each([
    ['as it is', 's"cret/+value'],
    ['in an address', encodeURIComponent('s"cret/+value')],
    ['as basic authorisation', Buffer.from('abc:s"cret/+value').toString('base64')],
  ])('is hidden %s', (_, said) => {
    expect(concealment.apply({ kind: 'failed', message: `refused: ${said}!`, status: 400 })).toEqual({ kind: 'failed', message: 'refused: [redacted]!', status: 400 });
  });

  it('is hidden when it is a token that was given later', () => {
    concealment.hide('token-12345');
    expect(concealment.apply(['Bearer token-12345'])).toEqual(['Bearer [redacted]']);
  });

  it('leaves everything else the same object, short words included', () => {
    const answer = { message: 'abc in au', untilMs: Infinity };
    expect(concealment.apply(answer)).toBe(answer);
  });
});
