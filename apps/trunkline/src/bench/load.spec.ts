import { setTimeout as wait } from 'node:timers/promises';
import type { ContactEvent } from '../feed/service-request.js';
import { sendAll, sendOpenLoop, untilTaken, type Publish } from './load.js';
import { evenSchedule } from './schedule.js';

const eventAt = (index: number): ContactEvent => ({ specversion: '1.0', type: 'conversation_ended', source: '/bench', id: String(index), datacontenttype: 'application/json', data: {} });

describe('an open-loop load', () => {
  it('sends each request when it is due, however long the answers take, and counts latency from then', async () => {
    let asked = 0;
    let askedAll = (): void => undefined;
    const allAsked = new Promise<void>((resolve) => (askedAll = resolve));
    // Answers nobody before all have asked: whoever waited for an answer would wait for ever.
    const slow: Publish = async ([event]) => {
      asked += 1;
      if (asked === 10) askedAll();
      await allAsked;
      await wait(200);
      return [event?.id ?? ''];
    };
    const sent = await sendOpenLoop(slow, evenSchedule(100, 1, 0.1), 1, eventAt);
    expect(sent.runIds).toHaveLength(10);
    expect(Math.min(...sent.acceptMs)).toBeGreaterThanOrEqual(199);
    const due = [...sent.dueAtMs.values()];
    expect(due.map((at) => Math.round(at - (due[0] ?? 0)))).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  });

  it('counts what was refused and repeats nothing', async () => {
    let asked = 0;
    const refusing: Publish = async () => {
      asked += 1;
      throw new Error('503');
    };
    expect(await sendOpenLoop(refusing, evenSchedule(1_000, 5, 0.02), 5, eventAt)).toMatchObject({ refused: 20, runIds: [] });
    expect(asked).toBe(4);
  });
});

it('a backlog is put in whole, each event once', async () => {
  const seen: string[] = [];
  const sent = await sendAll(async (events) => {
    seen.push(...events.map(({ id }) => id));
    return events.map(({ id }) => id);
  }, 1_050, 100, eventAt);
  expect(sent.runIds).toHaveLength(1_050);
  expect(new Set(seen).size).toBe(1_050);
});

it('a well-behaved publisher asks again until it is answered, and not for ever', async () => {
  let asked = 0;
  const recovering: Publish = async () => {
    asked += 1;
    if (asked < 3) throw new Error('nobody listens');
    return ['run'];
  };
  expect(await untilTaken(recovering, 10_000)([eventAt(0)], 0)).toEqual(['run']);
  expect(asked).toBe(3);
  await expect(untilTaken(async () => Promise.reject(new Error('nobody listens')), 100)([eventAt(0)], 0)).rejects.toThrow('nobody listens');
});
