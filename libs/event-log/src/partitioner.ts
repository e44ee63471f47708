/** Which partition a key belongs to: murmur2 as Kafka's own clients do it, so that a key keeps its partition when a deployment changes its driver. */
export function partitionOf(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** MurmurHash2, 32 bit, seed 0x9747b28c (Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2). */
export function murmur2(bytes: Buffer): number {
  const multiplier = 0x5bd1e995;
  const whole = bytes.length & ~3;
  let hash = 0x9747b28c ^ bytes.length;
  for (let index = 0; index < whole; index += 4) {
    let word = Math.imul(bytes.readInt32LE(index), multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  const rest = bytes.length - whole;
  if (rest === 3) hash ^= bytes.readUInt8(whole + 2) << 16;
  if (rest >= 2) hash ^= bytes.readUInt8(whole + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ bytes.readUInt8(whole), multiplier);
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}
