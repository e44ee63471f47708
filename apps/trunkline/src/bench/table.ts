import Table from 'cli-table3';
import type { Comparison } from './compare.js';
import { isSound, type BenchResult, type Spread } from './result.js';

const plain = { style: { head: [], border: [] } };

/** A result for people. */
export function tableOf(result: BenchResult): string {
  const { options, milliseconds, cpuMsPerEvent: cpu, peakMiB, verdict, hardware, durability, calibration, versions } = result;
  const rows: readonly (readonly [string, string])[] = [
    ['asked for', `${options.scenario} on ${options.driver}: ${options.rate > 0 ? `${options.rate} events/s for ${options.seconds} s` : `${options.events} events`}, providers ${options.latencyMs} ms, ${options.batch} per request`],
    ['machine', `${hardware.cores} × ${hardware.processor}, ${hardware.memoryMiB} MiB, load before ${hardware.loadAverageBefore}; unit ${calibration.unitMicros} µs, fdatasync ${calibration.fdatasyncMicros} µs`],
    ['versions', Object.entries(versions).map(([name, version]) => `${name} ${version.slice(0, 12)}`).join(', ')],
    ['durability', Object.entries(durability).map(([name, setting]) => `${name}=${setting}`).join(' ')],
    ['events', `${result.accepted} accepted, ${result.refused} refused, ${result.finished} finished; ${result.eventsPerSecond} events/s`],
    ['accept ms', spread(milliseconds.accept)],
    ['end to end ms', spread(milliseconds.endToEnd)],
    ['beyond providers ms', `${spread(milliseconds.beyondProviders)}${result.providerCallsPerEvent === null ? '' : ` (${result.providerCallsPerEvent.toFixed(2)} calls per event)`}`],
    ['generator late ms', spread(milliseconds.generatorLate)],
    ['CPU ms per event', cpu === null ? 'not measured' : `${cpu.platform} = services ${cpu.services} + database ${cpu.database} + broker ${cpu.broker} (beside it: simulators ${cpu.simulators}, generator ${cpu.generator})`],
    ['peak MiB', peakMiB === null ? 'not measured' : `${peakMiB.platform} services and database at once (services ${peakMiB.services}, database ${peakMiB.database}, broker ${peakMiB.broker}, simulators ${peakMiB.simulators})`],
    ...Object.entries(result.findings).map(([name, figures]): [string, string] => [name, Object.entries(figures).map(([figure, value]) => `${wordsOf(figure)} ${value ?? '–'}`).join(', ')]),
    ...result.targets.map((target): [string, string] => ['target', `${target.says}: ${target.measured ?? '–'}, wanted ${target.wanted}: ${target.outcome}${target.because === undefined ? '' : ` (${target.because})`}`]),
    ['verdict', `${isSound(result) ? 'sound' : 'NOT SOUND'}: ${verdict.effects} of ${verdict.expectedEffects} effects, ${verdict.lost} lost, ${verdict.doubled} doubled, ${verdict.outOfOrder} out of order, ${verdict.unfinished} unfinished, ${verdict.parked} parked, ${verdict.deadLettered} dead-lettered`],
  ];
  const table = new Table(plain);
  table.push(...rows.map(([name, text]) => [name, text]));
  return table.toString();
}

export function comparisonTable(lines: readonly Comparison[]): string {
  const table = new Table({ ...plain, head: ['figure', 'a', 'b', 'b / a', 'machines taken out'] });
  table.push(...lines.map(({ figure, a, b, ratio, calibrated }) => [figure, String(a), String(b), times(ratio), times(calibrated)]));
  return table.toString();
}

/** `commandsPerCall` → `commands per call`. */
function wordsOf(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z](?=[a-z])/g, (letter) => ` ${letter.toLowerCase()}`);
}

function times(ratio: number | null): string {
  return ratio === null ? '–' : ratio.toFixed(2);
}

function spread({ p50, p95, p99, max }: Spread): string {
  return `p50 ${p50 ?? '–'}, p95 ${p95 ?? '–'}, p99 ${p99 ?? '–'}, max ${max ?? '–'}`;
}
