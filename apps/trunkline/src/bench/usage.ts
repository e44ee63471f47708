import { readProcessFigures, shares, type ProcessFigures, type Share } from './process-figures.js';
import { rounded, type BenchResult } from './result.js';

/** Processor time from `start` to `stop`, and the most memory seen meanwhile. */
export class Usage {
  private readonly start: ProcessFigures | null;
  private readonly peaks: Record<Share, number> = { services: 0, database: 0, broker: 0, simulators: 0, generator: 0 };
  private peakOfPlatform = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly platformPid: number) {
    this.start = readProcessFigures(platformPid, process.pid, false);
    this.timer = setInterval(() => this.look(), 3_000);
  }

  stop(events: number): Pick<BenchResult, 'cpuMsPerEvent' | 'peakMiB'> {
    clearInterval(this.timer);
    const end = readProcessFigures(this.platformPid, process.pid, false);
    this.look();
    if (this.start === null || end === null || events === 0) return { cpuMsPerEvent: null, peakMiB: null };
    const before = this.start;
    const perEvent = byShare((share) => (end.cpuMs[share] - before.cpuMs[share]) / events);
    const round = (value: number): number => rounded(value, 3) ?? 0;
    return {
      cpuMsPerEvent: { ...byShare((share) => round(perEvent[share])), platform: round(perEvent.services + perEvent.database + perEvent.broker) },
      peakMiB: { ...byShare((share) => Math.round(this.peaks[share])), platform: Math.round(this.peakOfPlatform) },
    };
  }

  private look(): void {
    const now = readProcessFigures(this.platformPid, process.pid, true);
    if (now === null) return;
    for (const share of shares) this.peaks[share] = Math.max(this.peaks[share], now.memoryMiB[share]);
    this.peakOfPlatform = Math.max(this.peakOfPlatform, now.memoryMiB.services + now.memoryMiB.database);
  }
}

function byShare(of: (share: Share) => number): Record<Share, number> {
  return { services: of('services'), database: of('database'), broker: of('broker'), simulators: of('simulators'), generator: of('generator') };
}
