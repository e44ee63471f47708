import { describeWithLocalKafka } from '@trunkline/local-services';
import { rehearse } from './rehearse.js';

jest.setTimeout(400_000);

const seed = Number(process.env['CHAOS_SEED'] ?? 311);

describeWithLocalKafka('two thousand events under chaos', () => {
  it(`keeps all seven invariants with at least twelve kills (seed ${seed})`, async () => {
    const { status, output, result } = await rehearse(['--events', '2000', '--rate', '25', '--kills', '15', '--seed', String(seed), '--drain-minutes', '4']);
    if (status !== 0 || result === null) throw new Error(`CHAOS_SEED=${seed} repeats it\n${output.slice(-12_000)}`);
    process.stderr.write(`${output.split('\n').filter((line) => /^(Seed \d+,|[✓✗])/.test(line)).join('\n')}\n`);
    expect(result.accepted).toBe(2_000);
    expect(result.killsCounted).toBeGreaterThanOrEqual(12);
    expect(result.pauses).toBeGreaterThan(0);
    // A limit that was never nearly reached has not been put to the test.
    expect(result.limits.filter(({ isTested }) => isTested)).not.toEqual([]);
    expect(result.findings.map(({ invariant, checked }) => [invariant, checked > 0])).toEqual(['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7'].map((invariant) => [invariant, true]));
  });
});
