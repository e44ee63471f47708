import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { armingIn } from './arming.js';
import { FailpointInvalid } from './errors.js';
import { bound, failpoint, markOf } from './failpoint.js';
import { failpoints } from './names.js';

const problemIn = (environment: Readonly<Record<string, string>>): string => {
  try {
    armingIn(environment);
  } catch (error) {
    if (FailpointInvalid.matches(error)) return error.detail;
  }
  return 'none';
};

describe('arming', () => {
  it('arms nothing without the variable', () => {
    expect(armingIn({})).toBeNull();
    expect(armingIn({ TRUNKLINE_FAILPOINT: ' ' })).toBeNull();
  });

  it('takes a name, and at which passage', () => {
    expect(armingIn({ TRUNKLINE_FAILPOINT: 'worker.afterHttp' })).toEqual({ name: 'worker.afterHttp', nth: 1 });
    expect(armingIn({ TRUNKLINE_FAILPOINT: 'worker.afterHttp:12' })).toEqual({ name: 'worker.afterHttp', nth: 12 });
  });

  it.each(['worker.afterhttp', 'toString', '__proto__', 'worker', ':3'])('refuses %s, which is no failpoint', (text) => {
    expect(problemIn({ TRUNKLINE_FAILPOINT: text })).toContain('there is no failpoint');
  });

  it.each(['0', '-1', '1.5', 'first', '', '1:2'])('refuses the number %j', (nth) => {
    expect(problemIn({ TRUNKLINE_FAILPOINT: `worker.afterHttp:${nth}` })).toContain('whole number');
  });

  it('does not repeat what it was given: it may be somebody’s secret in the wrong variable', () => {
    expect(problemIn({ TRUNKLINE_FAILPOINT: 'tl_key_secret' })).not.toContain('tl_key_secret');
  });

  it('is refused in production, unless that is allowed in so many words', () => {
    const armed = { TRUNKLINE_FAILPOINT: 'worker.afterHttp', NODE_ENV: 'production' };
    expect(problemIn(armed)).toContain('production');
    expect(problemIn({ ...armed, TRUNKLINE_FAILPOINT_IN_PRODUCTION: 'true' })).toContain('production');
    expect(armingIn({ ...armed, TRUNKLINE_FAILPOINT_IN_PRODUCTION: 'yes' })).not.toBeNull();
  });
});

describe('a failpoint', () => {
  const told: string[] = [];
  const death = { mark: (text: string) => void told.push(text), kill: () => void told.push('killed') };
  beforeEach(() => told.splice(0));

  it('does nothing when off', () => {
    for (const name of Object.keys(failpoints) as (keyof typeof failpoints)[]) failpoint(name);
    bound({}, death)('worker.afterHttp');
    expect(told).toEqual([]);
  });

  it('kills at its own point only, at the passage asked for and never again', () => {
    const at = bound({ TRUNKLINE_FAILPOINT: 'worker.afterHttp:2' }, death);
    at('worker.afterHttp');
    at('worker.beforeHttp');
    expect(told).toEqual([]);
    at('worker.afterHttp');
    expect(told).toEqual([markOf('worker.afterHttp', 2), 'killed']);
    at('worker.afterHttp');
    expect(told).toHaveLength(2);
  });

  it('kills although nobody can be told', () => {
    const at = bound({ TRUNKLINE_FAILPOINT: 'worker.afterHttp' }, { ...death, mark: () => { throw new Error('stderr is closed'); } });
    expect(() => at('worker.afterHttp')).toThrow('closed');
    expect(told).toEqual(['killed']);
  });

  it('throws at every point when it was armed wrongly: nothing is taken for tested', () => {
    expect(() => bound({ TRUNKLINE_FAILPOINT: 'worker.afterHtp' }, death)('ledger.afterSend')).toThrow('there is no failpoint');
  });

  it('ends a real process by SIGKILL: no further line, no handler, and the mark is out', () => {
    const built = join(__dirname, '..', 'dist', 'index.js');
    spawnSync(process.execPath, ['tools/build.mjs', 'libs/failpoints', 'libs/contracts'], { cwd: join(__dirname, '..', '..', '..') });
    const program = `import { failpoint } from ${JSON.stringify(built)};
      process.on('exit', () => console.log('exit handler'));
      failpoint('worker.beforeHttp'); console.log('before'); failpoint('worker.afterHttp'); console.log('after');`;
    const { signal, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', env: { TRUNKLINE_FAILPOINT: 'worker.afterHttp' } });
    expect({ signal, stdout, stderr }).toEqual({ signal: 'SIGKILL', stdout: 'before\n', stderr: markOf('worker.afterHttp') });
  });
});
