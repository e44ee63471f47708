import { advance, planRun, type Effect, type PlannedStep, type Run } from './index.js';

const step: PlannedStep = { id: 'a', name: 'a', integrationId: 'i', provider: 'p', action: 'write', priority: 1, condition: null, input: {}, onFailure: 'stop', timeoutMs: 1_000, retry: { attempts: 9, backoffMs: 100, maxBackoffMs: 1_000 }, ordering: 'none', reads: [] };
const sentAtMs = 100_000;

/** How long after a failed look-up at this time the next one is due, with the longest jitter. */
function waitAfterFailureAt(nowMs: number): number {
  let run: Run = planRun({ steps: [step] }, 1);
  let effects: readonly Effect[] = [];
  const tell = (atMs: number, happening: Parameters<typeof advance>[2]): void => {
    ({ run, effects } = advance({ steps: [step] }, run, happening, { nowMs: atMs, random: () => 0.999, factsOf: () => ({ family: 'crm', repeat: 'search-first', search: { commitWithinMs: 500, visibleAfterMs: 500 } }), prepare: () => ({ kind: 'run', input: '{}' }) }));
  };
  tell(sentAtMs, { kind: 'start' });
  tell(sentAtMs, { kind: 'admit', stepId: 'a', startBeforeMs: sentAtMs + 60_000 });
  tell(sentAtMs + 1_000, { kind: 'result', stepId: 'a', dispatch: 1, outcome: { kind: 'unknown', code: 'intent.open', message: '', expiresAtMs: sentAtMs + 1_000 } });
  tell(nowMs, { kind: 'finding', stepId: 'a', dispatch: 1, lookedUpAtMs: nowMs, finding: { kind: 'failed', class: 'transient', code: 'http.unreachable', message: '' } });
  const next = effects.find((effect) => effect.kind === 'look-up');
  if (next?.kind !== 'look-up') throw new Error('no further look-up');
  return next.dueAtMs - nowMs;
}

/** Found by `trunkline chaos`: one refused connection at the first look-up held a step, and its subject, for up to four minutes. */
it('asks again within seconds after the first look-up failed', () => {
  expect(waitAfterFailureAt(sentAtMs + 3_000)).toBeLessThanOrEqual(3_000);
});

it('asks ever less often while the provider stays away, and never less than every five minutes', () => {
  expect(waitAfterFailureAt(sentAtMs + 120_000)).toBeGreaterThan(20_000);
  expect(waitAfterFailureAt(sentAtMs + 24 * 60 * 60_000)).toBeLessThanOrEqual(301_000);
});
