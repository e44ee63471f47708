/** Tells what is new in overlapping looks at a stream of ended runs, and remembers no more than the overlap. */
export class SeenOnce {
  private readonly seen = new Map<string, number>();

  get size(): number {
    return this.seen.size;
  }

  /** False when it has been seen within the overlap. */
  isNew(id: string, atMs: number): boolean {
    if (this.seen.has(id)) return false;
    this.seen.set(id, atMs);
    return true;
  }

  /** Nothing that ended before this will be looked at again. */
  forgetBefore(ms: number): void {
    for (const [id, atMs] of this.seen) if (atMs < ms) this.seen.delete(id);
  }
}
