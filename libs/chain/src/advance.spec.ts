import { advance, planRun, type ActionFacts, type Effect, type Happening, type PlannedStep, type Run, type StepProgress, type Surroundings } from './index.js';

const search = { commitWithinMs: 1_000, visibleAfterMs: 5_000 };
const searchFirst: ActionFacts = { family: 'crm', repeat: 'search-first', search };

/** A chain under test: steps named a, b, c …; time stands still unless told. */
class Bench {
  run: Run;
  nowMs = 100_000;
  effects: readonly Effect[] = [];
  facts: ActionFacts | undefined = searchFirst;
  prepared: ReturnType<Surroundings['prepare']> = { kind: 'run', input: '{}' };
  prepares = 0;

  constructor(private readonly steps: readonly PlannedStep[]) {
    this.run = planRun({ steps }, 1);
    this.tell({ kind: 'start' });
  }

  tell(happening: Happening): this {
    const before = this.run;
    const advanced = advance({ steps: this.steps }, this.run, happening, {
      nowMs: this.nowMs,
      random: () => 0.5,
      factsOf: () => this.facts,
      prepare: () => ((this.prepares += 1), this.prepared),
    });
    expect(before).toEqual(JSON.parse(JSON.stringify(before)));
    this.run = advanced.run;
    this.effects = advanced.effects;
    return this;
  }

  send(stepId: string): this {
    return this.tell({ kind: 'admit', stepId, startBeforeMs: this.nowMs + 30_000 });
  }

  result(stepId: string, outcome: Extract<Happening, { kind: 'result' }>['outcome'], dispatch = this.step(stepId).dispatch): this {
    return this.tell({ kind: 'result', stepId, dispatch, outcome });
  }

  none(stepId: string, lookedUpAtMs = this.nowMs): this {
    return this.tell({ kind: 'finding', stepId, dispatch: this.step(stepId).dispatch, lookedUpAtMs, finding: { kind: 'none' } });
  }

  step(stepId: string): StepProgress {
    const step = this.run.steps.find((candidate) => candidate.id === stepId);
    if (step === undefined) throw new Error(`no step ${stepId}`);
    return step;
  }

  get states(): string {
    return `${this.run.steps.map((step) => `${step.id} ${step.state}`).join(', ')}: ${this.run.state}`;
  }
}

const step = (id: string, priority: number, rest: Partial<PlannedStep> = {}): PlannedStep => ({
  id, name: `step_${id}`, integrationId: 'i', provider: 'p', action: 'write', priority, condition: null, input: {}, onFailure: 'stop', timeoutMs: 10_000,
  retry: { attempts: 3, backoffMs: 1_000, maxBackoffMs: 60_000 }, ordering: 'none', reads: [], ...rest,
});
const ok = { kind: 'ok', result: { id: '7' }, externalId: '7' } as const;
const failed = { kind: 'failed', class: 'data', code: 'refused', message: 'no' } as const;
const unknown = { kind: 'unknown', code: 'cut', message: '' } as const;
const throttled = { kind: 'throttled', untilMs: 200_000, code: '429', message: '' } as const;
const transient = { kind: 'transient', code: '503', message: '', reached: true } as const;

describe('order', () => {
  it('a chain without steps is done at once', () => {
    expect(new Bench([]).states).toBe(': done');
  });

  it('equal priorities run together, later ones wait for all of them', () => {
    const bench = new Bench([step('a', 10), step('b', 10), step('c', 20)]);
    expect(bench.states).toBe('a ready, b ready, c waiting: running');
    expect(bench.send('a').send('b').result('a', ok).states).toBe('a done, b sent, c waiting: running');
    expect(bench.result('b', ok).states).toBe('a done, b done, c ready: running');
    expect(bench.effects).toEqual([{ kind: 'ready', stepId: 'c' }]);
  });

  it('a step whose condition is false is skipped, and the next starts with it', () => {
    const bench = new Bench([step('a', 10), step('b', 20)]);
    bench.prepared = { kind: 'skip', reason: 'condition' };
    expect(bench.send('a').result('a', ok).states).toBe('a done, b skipped: done');
    expect(bench.effects).toEqual([{ kind: 'finished', state: 'done' }]);
  });

  it('a mapping that breaks is a dead letter before anything is sent', () => {
    const bench = new Bench([step('a', 10), step('b', 20)]);
    bench.prepared = { kind: 'broken', code: 'expression.missing', message: 'm' };
    expect(bench.send('a').result('a', ok).states).toBe('a done, b dead-lettered: dead-lettered');
  });

  it('input is prepared once; every resend is the same bytes', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', throttled).send('a').result('a', transient);
    bench.tell({ kind: 'due', stepId: 'a' }).send('a');
    expect([bench.prepares, bench.step('a').dispatch, bench.step('a').attempts]).toEqual([1, 3, 1]);
  });
});

describe('failure', () => {
  const chain = (onFailure: PlannedStep['onFailure']): Bench => new Bench([step('a', 10, { onFailure }), step('b', 20, { reads: ['a'] }), step('c', 30, { reads: ['b'] }), step('d', 30)]).send('a').result('a', failed);

  it('stop skips what is later', () => {
    expect(chain('stop').states).toBe('a dead-lettered, b skipped, c skipped, d skipped: dead-lettered');
    expect(chain('stop').step('d').reason).toBe('stopped-by:a');
  });

  it('continue goes on', () => {
    const bench = chain('continue');
    expect(bench.states).toBe('a dead-lettered, b ready, c waiting, d waiting: running');
    for (const id of ['b', 'c', 'd']) bench.send(id).result(id, ok);
    expect(bench.run.state).toBe('done-with-failures');
  });

  it('skip_dependants skips what reads it, directly or through others', () => {
    const bench = chain('skip_dependants');
    expect(bench.states).toBe('a dead-lettered, b skipped, c skipped, d ready: running');
    expect(bench.step('c').reason).toBe('depends-on:a');
  });

  it('a redrive brings back the step and what was skipped because of it, with a fresh count of attempts', () => {
    const bench = chain('stop').tell({ kind: 'redrive' });
    expect(bench.states).toBe('a ready, b waiting, c waiting, d waiting: running');
    expect(bench.effects.filter((effect) => effect.kind === 'reopened')).toHaveLength(4);
    expect(bench.send('a').step('a').dispatch).toBe(2);
  });

  it('a late ok closes the dead letter and the chain goes on', () => {
    const bench = chain('stop').result('a', ok);
    expect(bench.states).toBe('a done, b ready, c waiting, d waiting: running');
    expect(bench.effects).toContainEqual({ kind: 'close-dead-letter', stepId: 'a' });
  });

  it('a step about to start waits again when a late ok brings back an earlier one', () => {
    const bench = new Bench([step('a', 10, { onFailure: 'skip_dependants' }), step('b', 20, { reads: ['a'] }), step('c', 30)]).send('a').result('a', failed);
    expect(bench.states).toBe('a dead-lettered, b skipped, c ready: running');
    expect(bench.result('a', ok).states).toBe('a done, b ready, c waiting: running');
  });

  it('transient answers are repeated with full jitter until the attempts are used up', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', transient);
    expect([bench.step('a').state, bench.step('a').dueAtMs]).toEqual(['deferred', 100_500]);
    bench.tell({ kind: 'due', stepId: 'a' }).send('a').result('a', { ...transient, retryAfterMs: 9_000 });
    expect(bench.step('a').dueAtMs).toBe(109_000);
    bench.tell({ kind: 'due', stepId: 'a' }).send('a').result('a', transient);
    expect([bench.step('a').state, bench.step('a').attempts]).toEqual(['dead-lettered', 3]);
  });

  it.each([throttled, { kind: 'auth', code: '401', message: '' } as const, { kind: 'expired' } as const])('$kind uses no attempt, however often (P6)', (outcome) => {
    const bench = new Bench([step('a', 10)]);
    for (let times = 0; times < 10; times += 1) bench.send('a').result('a', outcome);
    expect([bench.step('a').state, bench.step('a').attempts, bench.step('a').dispatch]).toEqual(['ready', 0, 10]);
  });
});

describe('ranking', () => {
  it.each([[[failed, unknown]], [[unknown, failed]]])('definitive stands over unknown, in either order', (outcomes) => {
    const bench = new Bench([step('a', 10)]).send('a');
    for (const outcome of outcomes) bench.result('a', outcome);
    expect(bench.step('a').state).toBe('dead-lettered');
  });

  it('of an earlier dispatch only ok counts', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', throttled).send('a');
    const before = bench.run;
    expect(bench.result('a', failed, 1).run).toBe(before);
    expect(bench.result('a', ok, 1).states).toBe('a done: done');
  });

  it('a result of a command this copy of the run has not sent asks for a fresh copy', () => {
    const bench = new Bench([step('a', 10)]);
    const answer = advance({ steps: [step('a', 10)] }, bench.run, { kind: 'result', stepId: 'a', dispatch: 1, outcome: ok }, { nowMs: 1, random: () => 0, factsOf: () => searchFirst, prepare: () => ({ kind: 'run', input: '' }) });
    expect(answer).toEqual({ run: bench.run, effects: [], isStale: true });
  });
});

describe('unknown', () => {
  it('search-first is looked up when no call can run and what it wrote can be seen, twice, and then sent again', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', unknown);
    expect(bench.effects).toContainEqual({ kind: 'look-up', stepId: 'a', dispatch: 1, dueAtMs: 100_000 + 30_000 + 10_000 + 6_000 });
    bench.nowMs = 146_000;
    expect(bench.none('a').effects).toEqual([{ kind: 'look-up', stepId: 'a', dispatch: 1, dueAtMs: 151_000 }]);
    expect(bench.none('a', 146_000).step('a')).toMatchObject({ state: 'unknown', lookUps: 1 });
    bench.nowMs = 151_000;
    expect(bench.none('a').step('a').state).toBe('ready');
    expect(bench.send('a').step('a')).toMatchObject({ state: 'sent', dispatch: 2, attempts: 1 });
  });

  it('a look-up that began a moment too early is asked again after that moment, and then counts: the bar does not move', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', unknown);
    bench.nowMs = 146_003;
    bench.tell({ kind: 'due', stepId: 'a' });
    bench.nowMs = 146_005;
    expect(bench.none('a', 145_995).effects).toEqual([{ kind: 'look-up', stepId: 'a', dispatch: 1, dueAtMs: 146_010 }]);
    // The worker's clock is 10 ms behind: it reads the time that was due.
    bench.nowMs = 146_012;
    expect(bench.none('a', 146_002).step('a').lookUps).toBe(1);
  });

  it('what the worker knows of the intent shortens the wait', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', { ...unknown, expiresAtMs: 104_000 });
    expect(bench.step('a').dueAtMs).toBe(110_000);
  });

  it('one found is done, several are ambiguous', () => {
    const finding = (kind: 'found' | 'several'): Bench => new Bench([step('a', 10)]).send('a').result('a', unknown).tell({ kind: 'finding', stepId: 'a', dispatch: 1, lookedUpAtMs: 1, finding: kind === 'found' ? { kind, result: 1, externalId: 'x' } : { kind, count: 2 } });
    expect(finding('found').states).toBe('a done: done');
    expect([finding('several').states, finding('several').step('a').reason]).toEqual(['a parked: parked', 'ambiguous']);
  });

  it.each([['never', undefined], ['search-first', { commitWithinMs: null, visibleAfterMs: 1 }]] as const)('%s without a proof of absence is parked, and only a person moves it', (repeat, bounds) => {
    const bench = new Bench([step('a', 10)]);
    bench.facts = { family: 'crm', repeat, search: bounds };
    bench.send('a').result('a', unknown);
    if (bounds !== undefined) bench.none('a');
    expect([bench.states, bench.step('a').reason]).toEqual(['a parked: parked', 'unknown']);
    expect(bench.tell({ kind: 'due', stepId: 'a' }).states).toBe('a parked: parked');
    expect(bench.tell({ kind: 'answered-by-person', stepId: 'a', answer: { kind: 'not-done' } }).states).toBe('a ready: running');
  });

  it('a key is sent again at once, and looked up first once half its life is over', () => {
    const bench = new Bench([step('a', 10)]);
    bench.facts = { family: 'crm', repeat: 'key', keyTtlMs: 200_000, search };
    bench.send('a').tell({ kind: 'swept', stepId: 'a', dispatch: 1, intent: 'none' }).send('a');
    expect(bench.step('a')).toMatchObject({ state: 'sent', dispatch: 2 });
    bench.result('a', throttled).nowMs += 100_000;
    expect(bench.send('a').step('a')).toMatchObject({ state: 'unknown', dispatch: 2, reason: 'key-forgotten' });
    bench.none('a').nowMs += 10_000;
    expect(bench.none('a').send('a').step('a')).toMatchObject({ state: 'sent', dispatch: 3 });
  });

  it('a late answer of the last dispatch does not stand in for that look-up: it says nothing of the earlier ones', () => {
    const bench = new Bench([step('a', 10)]);
    bench.facts = { family: 'crm', repeat: 'key', keyTtlMs: 200_000, search };
    bench.send('a').result('a', transient).tell({ kind: 'due', stepId: 'a' }).send('a').tell({ kind: 'swept', stepId: 'a', dispatch: 2, intent: 'none' }).nowMs += 100_000;
    expect(bench.send('a').result('a', { kind: 'expired' }).step('a').state).toBe('unknown');
  });

  it('a swept command goes out again where its intent is void, and is unknown where it is open', () => {
    expect(new Bench([step('a', 10)]).send('a').tell({ kind: 'swept', stepId: 'a', dispatch: 1, intent: 'void' }).states).toBe('a ready: running');
    expect(new Bench([step('a', 10)]).send('a').tell({ kind: 'swept', stepId: 'a', dispatch: 1, intent: 'open' }).states).toBe('a unknown: running');
  });

  it('after max_wait it is parked as unknown, whatever the reason given, so that no due time sends it again', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', unknown).tell({ kind: 'park', stepId: 'a', reason: 'provider-down' });
    expect(bench.step('a').reason).toBe('unknown');
  });
});

describe('cancel', () => {
  it('ends what waits, and what may be at the provider when it settles', () => {
    const bench = new Bench([step('a', 10, { ordering: 'subject' }), step('b', 10), step('c', 20, { ordering: 'subject' })]).send('a').tell({ kind: 'cancel' });
    expect(bench.states).toBe('a sent, b cancelled, c cancelled: running');
    expect(bench.effects).toEqual([{ kind: 'release-subject', stepId: 'c' }]);
    expect(bench.result('a', throttled).states).toBe('a cancelled, b cancelled, c cancelled: cancelled');
    expect(bench.effects).toContainEqual({ kind: 'release-subject', stepId: 'a' });
  });

  it('lets an ok be an ok', () => {
    expect(new Bench([step('a', 10), step('b', 20)]).send('a').tell({ kind: 'cancel' }).result('a', ok).states).toBe('a done, b cancelled: cancelled');
  });

  it('says what may have been written', () => {
    const bench = new Bench([step('a', 10)]);
    bench.facts = { family: 'crm', repeat: 'never' };
    expect(bench.send('a').result('a', unknown).tell({ kind: 'cancel' }).step('a')).toMatchObject({ state: 'cancelled', reason: 'possibly-written' });
  });
});

describe('parking', () => {
  it('an integration that is gone parks its steps until somebody brings them back', () => {
    const bench = new Bench([step('a', 10), step('b', 20)]).send('a');
    bench.facts = undefined;
    expect(bench.result('a', ok).states).toBe('a done, b parked: parked');
    bench.facts = searchFirst;
    expect(bench.tell({ kind: 'due', stepId: 'b' }).states).toBe('a done, b ready: running');
  });

  it('an older worker is tried again every minute', () => {
    const bench = new Bench([step('a', 10)]).send('a').result('a', { kind: 'parked', reason: 'worker-older-than-plan' });
    expect(bench.effects).toContainEqual({ kind: 'wake', stepId: 'a', dueAtMs: 160_000 });
  });
});
