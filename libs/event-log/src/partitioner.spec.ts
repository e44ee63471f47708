import { murmur2, partitionOf } from './partitioner.js';

/** Expected values from Apache Kafka's own test (clients, UtilsTest.testMurmur2). */
describe('the partition of a key', () => {
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('hashes %s as Kafka does', (text, hash) => expect(murmur2(Buffer.from(text))).toBe(hash));

  it('lies within the topic', () => {
    for (let index = 0; index < 1_000; index += 1) expect(partitionOf(Buffer.from(`key-${index}`), 6)).toBeLessThan(6);
  });
});
