import { EventEmitter } from 'node:events';
import { ConfigInvalid } from './errors.js';
import type { ProcessLike } from './run-service.js';
import { explain, runService } from './run-service.js';

class FakeProcess extends EventEmitter implements ProcessLike {
  readonly said: string[] = [];
  readonly exits: number[] = [];
  readonly stderr = { write: (text: string) => this.said.push(text) };
  exit(code: number): void {
    this.exits.push(code);
  }
}

describe('running a service', () => {
  let on: FakeProcess;
  beforeEach(() => {
    on = new FakeProcess();
  });

  it.each(['SIGTERM', 'SIGINT'])('stops in good order on %s', async (signal) => {
    const stop = jest.fn(async () => undefined);
    const running = runService(async () => ({ stop }), { on });
    on.emit(signal, signal);
    await running;
    expect(stop).toHaveBeenCalledWith(23_000);
    expect(on.exits).toEqual([0]);
  });

  it('ends anyway, and says so, when stopping takes too long', async () => {
    const running = runService(async () => ({ stop: () => new Promise(() => undefined) }), { on, graceMs: 20 });
    on.emit('SIGTERM', 'SIGTERM');
    await running;
    expect(on.exits).toEqual([1]);
    expect(on.said.join('')).toMatch(/Not everything had ended after 20 ms/);
  });

  it('does not start with a failpoint that does not exist', async () => {
    process.env['TRUNKLINE_FAILPOINT'] = 'worker.afterLunch';
    const start = jest.fn();
    await runService(start, { on }).finally(() => delete process.env['TRUNKLINE_FAILPOINT']);
    expect(start).not.toHaveBeenCalled();
    expect(on.exits).toEqual([2]);
    expect(on.said.join('')).toMatch(/TRUNKLINE_FAILPOINT cannot be used: there is no failpoint.*worker\.afterHttp/);
  });

  it('says that it carries a failpoint', async () => {
    process.env['TRUNKLINE_FAILPOINT'] = 'worker.afterHttp:3';
    const running = runService(async () => ({ stop: async () => undefined }), { on }).finally(() => delete process.env['TRUNKLINE_FAILPOINT']);
    on.emit('SIGTERM', 'SIGTERM');
    await running;
    expect(on.said.join('')).toMatch(/ends itself at worker\.afterHttp/);
  });

  it('ends at once on a second signal', async () => {
    void runService(() => new Promise(() => undefined), { on });
    on.emit('SIGINT', 'SIGINT');
    expect(on.exits).toEqual([]);
    on.emit('SIGINT', 'SIGINT');
    expect(on.exits).toEqual([1]);
  });

  it('explains a failed start and blames the configuration with exit code 2', async () => {
    await runService(() => Promise.reject(ConfigInvalid.because('PORT must be a whole number')), { on });
    expect(on.exits).toEqual([2]);
    expect(on.said.join('')).toBe('The configuration is not usable: PORT must be a whole number\nSet the environment variables named here and start again.\n');
  });

  it('shows causes, no stack and no secret', async () => {
    const error = new Error('starting', { cause: new AggregateError([], 'connect postgres://u:hunter2@h/d\nsecond line') });
    expect(explain(error)).toBe('starting (connect postgres://u:[redacted]@h/d)');
  });
});
