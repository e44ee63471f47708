const SAMPLES = 32;

/** The broker's clock against this process's, from append times of own records; the sample with the shortest way there and back is the best. */
export class ClockOffset {
  private samples: { readonly offsetMs: number; readonly tookMs: number }[] = [];

  add(appendedAtMs: number, sentAtMs: number, answeredAtMs: number): void {
    this.samples.push({ offsetMs: appendedAtMs - (sentAtMs + answeredAtMs) / 2, tookMs: answeredAtMs - sentAtMs });
    if (this.samples.length > SAMPLES) this.samples.shift();
  }

  get(): number | null {
    const [first, ...rest] = this.samples;
    if (first === undefined) return null;
    return rest.reduce((best, sample) => (sample.tookMs < best.tookMs ? sample : best), first).offsetMs;
  }
}
