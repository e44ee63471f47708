import { setTimeout as wait } from 'node:timers/promises';
import type { EventLog, StoredRecord } from '../../port.js';
import { expectThat, gate, record, textOf, type Lab } from '../lab.js';
import { type Case, perKey, totalLag } from './case.js';

export const memberCases: readonly Case[] = [
  { promise: 'gives the records of a member killed with SIGKILL to another', wrong: 'commits-on-delivery', run: survivesKill },
  { promise: 'moves partitions while work is in hand, losing and repeating nothing', wrong: 'lets-go-at-once', run: rebalances },
  { promise: 'refuses the commit of a member that was frozen past its session', wrong: 'believes-every-commit', run: fencesFrozen },
  { promise: 'shuts down gracefully: finishes what is in hand, commits, leaves so that others take over at once', wrong: 'leaves-without-a-word', run: stopsGracefully },
];

async function survivesKill(lab: Lab): Promise<void> {
  const log = await lab.log();
  const topic = await lab.topic(log);
  const group = lab.name('group');
  // Twenty seconds of work for the child: it dies with most of it in hand, however slow the machine.
  const values = Array.from({ length: 800 }, (_, index) => String(index));
  await log.append(topic, values.map((value) => record(`key-${Number(value) % 16}`, value)));
  const child = lab.child({ behaviour: 'handle', group, topic, handleMs: 100 });
  await lab.eventually(() => child.lines.length >= 12, () => `the child handled ${child.lines.length}`);
  const finished: string[] = [];
  // The second member joins while the first works, and sees it die.
  await log.consume(perKey(group, topic, async (stored) => void finished.push(textOf(stored))));
  child.signal('SIGKILL');
  await child.gone();
  const missing = (): string[] => values.filter((value) => !finished.includes(value) && !child.lines.includes(value));
  await lab.eventually(() => missing().length === 0, () => `nobody finished ${missing().length} records`, lab.harness.sessionTimeoutMs * 2 + 10_000);
}

async function rebalances(lab: Lab): Promise<void> {
  const [first, second] = [await lab.log(), await lab.log()];
  const topic = await lab.topic(first);
  const group = lab.name('group');
  const finished: { readonly value: string; readonly by: string }[] = [];
  const handle = (by: string) => async (stored: StoredRecord) => {
    // The first member is still at work when it is asked for partitions, however long the second takes to join.
    if (by === 'first' && finished.length >= 20) await lab.isAskedBack(first);
    await wait(20);
    finished.push({ value: textOf(stored), by });
  };
  await first.consume(perKey(group, topic, handle('first')));
  await lab.settled([first], 4);
  await first.append(topic, Array.from({ length: 400 }, (_, index) => record(`key-${index % 16}`, String(index))));
  await lab.eventually(() => finished.length >= 20, () => `${finished.length} handled`);
  await second.consume(perKey(group, topic, handle('second')));
  await lab.eventually(() => new Set(finished.map(({ value }) => value)).size === 400, () => `${finished.length} of 400 handled`);
  await lab.settled([first, second], 2);
  expectThat(finished.some(({ by }) => by === 'second'), () => 'the second member got nothing');
  expectThat(finished.length === 400, () => `${finished.length - 400} records were handled twice`);
  for (let key = 0; key < 16; key += 1) {
    const order = finished.map(({ value }) => Number(value)).filter((value) => value % 16 === key);
    expectThat(order.every((value, index) => index === 0 || value > (order[index - 1] ?? 0)), () => `key ${key} came as ${order.join()}`);
  }
}

async function fencesFrozen(lab: Lab): Promise<void> {
  const log = await lab.log();
  const topic = await lab.topic(log);
  const group = lab.name('group');
  await log.append(topic, Array.from({ length: 40 }, (_, index) => record(`key-${index}`, String(index))));
  const child = lab.child({ behaviour: 'hold', group, topic, handleMs: 0 });
  await lab.eventually(() => child.lines.length === 1, () => 'the child got nothing');
  child.signal('SIGSTOP');
  await log.consume(perKey(group, topic, async () => undefined));
  await lab.eventually(async () => (await totalLag(log, group)) === 0n, () => 'nobody took over from the frozen member', lab.harness.sessionTimeoutMs * 3 + 10_000);
  child.signal('SIGCONT');
  // A commit may not be answered where a request was under way when it froze; then it asks again.
  const answer = (): string | undefined => child.lines.slice(1).find((line) => line !== 'refused event_log.unavailable');
  await lab.eventually(async () => {
    const answers = child.lines.length;
    child.tell('commit');
    await lab.eventually(() => child.lines.length > answers, () => 'the thawed member does not answer');
    return answer() !== undefined;
  }, () => 'the thawed member does not know what became of its commit');
  expectThat(answer() === 'refused event_log.fenced', () => `the commit of the frozen member: ${answer()}`);
  expectThat((await totalLag(log, group)) === 0n, () => 'the commit of the frozen member moved the group back');
}

/** How long this process or the server stood still meanwhile: a machine that stands still is no member that waits. What is below a quarter of a second is not counted. Asked by somebody who is in no group: who waits for the group itself does not count. */
async function standstillDuring(outsider: EventLog, act: () => Promise<void>): Promise<number> {
  let [isOver, stoodMs] = [false, 0];
  const looking = (async () => {
    while (!isOver) {
      const askedAt = performance.now();
      await outsider.ping().catch(() => undefined);
      await wait(50);
      stoodMs += Math.max(0, performance.now() - askedAt - 250);
    }
  })();
  try {
    await act();
  } finally {
    isOver = true;
    await looking;
  }
  return stoodMs;
}

async function stopsGracefully(lab: Lab): Promise<void> {
  const [first, second, outsider] = [await lab.log(), await lab.log(), await lab.log()];
  // Its connection is not what is measured.
  await outsider.ping();
  const topic = await lab.topic(first);
  const group = lab.name('group');
  const finished: string[] = [];
  const hand = gate();
  let started = 0;
  const consumption = await first.consume(
    perKey(group, topic, async (stored) => {
      started += 1;
      await hand.opened;
      finished.push(textOf(stored));
    }),
  );
  await lab.settled([first], 4);
  await first.append(topic, Array.from({ length: 40 }, (_, index) => record(`key-${index}`, String(index))));
  await lab.eventually(() => started === 16, () => `${started} in hand`);
  const stopping = consumption.stop(10_000);
  expectThat(!consumption.health().ready, () => 'a stopping consumer says it is ready');
  hand.open();
  await stopping;
  expectThat(started === 16 && finished.length === 16, () => `${started} started, ${finished.length} finished by the end of the shutdown`);
  const leftAt = performance.now();
  let settledAt = leftAt;
  const stoodStillMs = await standstillDuring(outsider, async () => {
    await second.consume(perKey(group, topic, async (stored) => void finished.push(textOf(stored))));
    await lab.settled([second], 4);
    settledAt = performance.now();
  });
  const tookMs = settledAt - leftAt - stoodStillMs;
  expectThat(tookMs < lab.harness.sessionTimeoutMs * 0.75, () => `the next member waited ${tookMs} ms for the partitions`);
  await lab.eventually(() => finished.length >= 40, () => `${finished.length} of 40 handled`);
  await lab.eventually(async () => (await totalLag(second, group)) === 0n, () => 'not all is committed');
  expectThat(finished.length === 40 && new Set(finished).size === 40, () => `${finished.length - 40} records came again`);
}
