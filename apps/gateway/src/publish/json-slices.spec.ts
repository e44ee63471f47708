import fc from 'fast-check';
import { arrayElements, objectMembers, repeatsName } from './json-slices.js';

const spaced = (text: string): Buffer => Buffer.from(` \n\t${text}\r `);

describe('cutting JSON without parsing it', () => {
  it('gives each element of an array as the bytes it was written with', () => {
    expect(arrayElements(spaced('[1e999 , "a\\"],[" ,{ "x":[] }\n,null]'))?.map(String)).toEqual(['1e999', '"a\\"],["', '{ "x":[] }', 'null']);
    expect(arrayElements(spaced('[ ]'))).toEqual([]);
  });

  it.each(['', '{}', '[1', '[1,]', '[,1]', '[1 2]', '[1]]', '[1] x', 'null'])('says no to what is not an array in form: %s', (text) => {
    expect(arrayElements(Buffer.from(text))).toBeNull();
  });

  it.each([
    ['{"a":1,"a":2}', true],
    ['{"a":1,"\\u0061":2}', true],
    ['{"a":{"b":[{"c":1,"d":2,"c":3}]}}', true],
    [' [ 1 , { "a" : [] , "a" : [] } ] ', true],
    ['{"a":{"b":1},"b":{"a":1}}', false],
    ['{"a":"\\"a\\":1,\\"a\\":2"}', false],
    ['[{"a":1},{"a":2}]', false],
    ['1', false],
  ])('finds a name given twice at any depth: %s', (text, isRepeated) => {
    expect(repeatsName(Buffer.from(text))).toBe(isRepeated);
  });

  it('gives the members of an object by their decoded names', () => {
    expect([...(objectMembers(spaced('{"a" : 1, "d\\u0061ta":{"a":2} ,"":[]}')) ?? [])].map(([name, bytes]) => [name, String(bytes)])).toEqual([['a', '1'], ['data', '{"a":2}'], ['', '[]']]);
  });

  it('refuses an object that names a member twice, however it is written', () => {
    expect(objectMembers(Buffer.from('{"data":1,"d\\u0061ta":2}'))).toBeNull();
  });

  it('agrees with JSON.parse on whatever JSON there is', () => {
    fc.assert(fc.property(fc.array(fc.jsonValue(), { maxLength: 6 }), fc.integer({ min: 0, max: 3 }), (values, indent) => {
      expect(arrayElements(Buffer.from(JSON.stringify(values, null, indent)))?.map((bytes) => JSON.parse(bytes.toString()) as unknown)).toEqual(JSON.parse(JSON.stringify(values)));
    }));
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 6 }), fc.integer({ min: 0, max: 3 }), (values, indent) => {
      const text = JSON.stringify(values, null, indent);
      const members = [...(objectMembers(Buffer.from(text)) ?? [])].map(([name, bytes]) => [name, JSON.parse(bytes.toString()) as unknown]);
      expect(members).toEqual(Object.entries(JSON.parse(text) as object));
    }));
  });

  it('never throws and never hangs on broken text', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\\', '1', ' ') }), (text) => {
      arrayElements(Buffer.from(text));
    }));
  });
});
