import type { Evidence, OffsetSample, RecordEvidence } from './evidence.js';
import type { Breach, Finding } from './verdict.js';

/** I4: at each look at a group's offsets, everything below must have been taken care of by then. */
export function checkOffsets({ records, samples }: Pick<Evidence, 'records' | 'samples'>): Finding {
  const bySource = Map.groupBy(samples, nameOf);
  for (const same of bySource.values()) same.sort((one, other) => one.atMs - other.atMs);
  const breaches = records.flatMap((record): Breach[] => {
    const sample = firstPast(bySource.get(nameOf(record)) ?? [], record.offset);
    if (sample === undefined || (record.settledAtMs !== null && record.settledAtMs <= sample.atMs)) return [];
    const settled = record.settledAtMs === null ? 'never' : `only ${Math.round(record.settledAtMs - sample.atMs)} ms later`;
    return [{ invariant: 'I4', says: `group ${record.group} had committed ${record.topic}/${record.partition} up to ${sample.committed} at ${new Date(sample.atMs).toISOString()}; record ${record.offset} (${record.what}) was taken care of ${settled}`, runId: record.runId, eventId: null }];
  });
  return { invariant: 'I4', checked: records.length, note: `${samples.length} looks at offsets`, breaches };
}

/** Offsets committed only grow, but for a group that is taken back to an earlier one; the first look past the record is what counts. */
function firstPast(samples: readonly OffsetSample[], offset: number): OffsetSample | undefined {
  let [low, high] = [0, samples.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((samples[middle]?.committed ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return samples[low];
}

function nameOf({ group, topic, partition }: Pick<RecordEvidence, 'group' | 'topic' | 'partition'>): string {
  return `${group} ${topic}/${partition}`;
}
