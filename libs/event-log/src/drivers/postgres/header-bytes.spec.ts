import fc from 'fast-check';
import { decodeHeaders, encodeHeaders } from './header-bytes.js';

describe('stored headers', () => {
  it('come back in order, with repeated names and every byte', () => {
    const header = fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)));
    fc.assert(fc.property(fc.array(header, { maxLength: 20 }), (headers) => expect(decodeHeaders(encodeHeaders(headers))).toEqual(headers)));
  });
});
