import { repeatMethods, type RepeatMethod } from '@trunkline/chain';
import { explore } from './explore.js';
import { guards, type Guard, type Rules } from './rules.js';

/** Two dispatches, each command sent twice, two workers, a provider that writes or not and answers or not. */
const plain: Omit<Rules, 'repeat'> = { from: 'the first dispatch', without: null, dispatches: 2, crashes: 0, cancels: 0, hasSecondLedger: false };

describe('one step, every interleaving', () => {
  it.each(['search-first', 'never'] as const)('%s: no effect is doubled, lost or stuck with a worker killed anywhere and a cancel at any time', (repeat) => {
    expectNothing({ ...plain, repeat, crashes: 1, cancels: 1 });
  });

  // Together they are a million states more, and nothing a cancel does depends on a crash where a second call is harmless.
  it.each(['key', 'upsert'] as const)('%s: no effect is doubled, lost or stuck with a worker killed anywhere, or a cancel at any time', (repeat) => {
    expectNothing({ ...plain, repeat, crashes: 1 });
    expectNothing({ ...plain, repeat, cancels: 1 });
  });

  it.each(repeatMethods)('%s: nor after a dispatch that was proven absent', (repeat) => {
    expectNothing({ ...plain, repeat, from: 'a dispatch proven absent', crashes: 1, cancels: 1 });
  });

  it.each(repeatMethods)('%s: nor with a second ledger that is overtaken between reading the row and writing it, and a cancel', (repeat) => {
    expectNothing({ ...plain, repeat, dispatches: 1, cancels: 1, hasSecondLedger: true });
  });
});

/** For each guard: the methods for which its loss breaks a promise, and how. */
const found: Readonly<Record<Guard, { readonly as: string; readonly for: readonly RepeatMethod[]; readonly within?: Partial<Rules> }>> = {
  'intent-before-call': { as: 'doubled', for: ['search-first', 'never'] },
  'only-inserter-answers': { as: 'doubled', for: ['search-first', 'never'] },
  'void-by-sweeper': { as: 'doubled', for: ['search-first', 'never'] },
  'start-before': { as: 'doubled', for: ['key'] },
  'deadline-before-write': { as: 'doubled', for: ['search-first'] },
  'results-before-sweep': { as: 'repeated', for: ['upsert', 'key'] },
  'settle-for-its-dispatch': { as: 'lost', for: ['search-first'], within: { from: 'a dispatch proven absent' } },
  'settle-while-unknown': { as: 'overwritten', for: ['search-first'] },
  'two-look-ups': { as: 'doubled', for: ['search-first'] },
  'visibility-wait': { as: 'doubled', for: ['search-first'] },
  'copied-finding': { as: 'doubled', for: ['search-first'] },
  'guarded-update': { as: 'lost', for: ['search-first', 'never', 'upsert'], within: { hasSecondLedger: true } },
  'unknown-is-not-resent': { as: 'doubled', for: ['search-first', 'never'] },
  'rank-in-dispatch': { as: 'overwritten', for: repeatMethods },
  'only-ok-across-dispatches': { as: 'lost', for: ['never'] },
  'cancel-waits-for-the-call': { as: 'lost', for: repeatMethods, within: { cancels: 1 } },
  'cancel-is-remembered': { as: 'cancel forgotten', for: repeatMethods, within: { cancels: 1 } },
  'key-half-life': { as: 'doubled', for: ['key'] },
  sweeper: { as: 'stuck', for: repeatMethods },
  settling: { as: 'stuck', for: ['search-first'] },
};

describe('the model finds what is wrong when a guard is taken out', () => {
  it.each(Object.keys(guards) as Guard[])('%s', (without) => {
    for (const repeat of found[without].for) {
      const { violation } = explore({ ...plain, ...found[without].within, repeat, without });
      if (process.env['MODEL_TRACES'] !== undefined) process.stdout.write(`\nwithout "${guards[without]}" (${repeat}): ${violation?.what ?? 'nothing'}\n${violation?.trace.map((line) => `  ${line}`).join('\n') ?? ''}\n`);
      expect(`${repeat}: ${violation?.what ?? 'nothing found'}`).toMatch(new RegExp(`^${repeat}: ${found[without].as}`));
    }
  });
});

function expectNothing(rules: Rules): void {
  const { violation } = explore(rules);
  if (violation !== null) throw new Error(`${violation.what}\n${violation.trace.map((line) => `  ${line}`).join('\n')}`);
}
