import { readinessOf } from './readiness.js';

class Counter {
  readonly name = 'counter';
  private readonly reason: string | null = 'three are missing';

  async check(): Promise<string | null> {
    return this.reason;
  }
}

describe('readiness', () => {
  it('asks a dependency that is an object with a memory of its own', async () => {
    expect(await readinessOf([new Counter()], 1_000)).toEqual({ ready: false, missing: [{ name: 'counter', reason: 'three are missing' }] });
  });

  it('names one that hangs, and one that throws, by its first line', async () => {
    const hanging = { name: 'hanging', check: () => new Promise<null>(() => undefined) };
    const throwing = { name: 'throwing', check: () => Promise.reject(new Error('connection refused\n    at secret.ts:1')) };
    expect(await readinessOf([hanging, throwing], 10)).toEqual({ ready: false, missing: [{ name: 'hanging', reason: 'no answer within 10 ms' }, { name: 'throwing', reason: 'connection refused' }] });
  });
});
