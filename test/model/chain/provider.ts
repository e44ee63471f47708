import type { ActionFacts } from '@trunkline/chain';

interface Written {
  readonly atMs: number;
  readonly visibleAtMs: number;
}

/** What the providers hold, per step. `upsert` writes the same record again; a `key` is remembered for its life. */
export class Provider {
  private readonly written = new Map<string, Written[]>();

  write(stepId: string, facts: ActionFacts, atMs: number, visibleAtMs: number): void {
    const before = this.written.get(stepId) ?? [];
    const isRemembered = facts.repeat === 'key' && before.some((one) => atMs - one.atMs <= (facts.keyTtlMs ?? 0));
    if ((facts.repeat === 'upsert' && before.length > 0) || isRemembered) return;
    this.written.set(stepId, [...before, { atMs, visibleAtMs }]);
  }

  effects(stepId: string): number {
    return this.written.get(stepId)?.length ?? 0;
  }

  visible(stepId: string, nowMs: number): number {
    return (this.written.get(stepId) ?? []).filter((one) => one.visibleAtMs <= nowMs).length;
  }
}
