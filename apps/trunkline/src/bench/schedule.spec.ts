import { dueBy, evenSchedule } from './schedule.js';

describe('an open-loop schedule', () => {
  it('spreads the requests evenly, whatever the answers do', () => {
    const schedule = evenSchedule(20, 1, 2);
    expect(schedule.requests).toBe(40);
    expect([0, 1, 39].map((index) => schedule.dueMs(index))).toEqual([0, 50, 1950]);
  });

  it('counts events, not requests, when a request carries many', () => {
    const schedule = evenSchedule(1000, 100, 3);
    expect(schedule.requests).toBe(30);
    expect(schedule.dueMs(1)).toBe(100);
  });

  it('makes up for a late timer: everything that has come due is due now', () => {
    const schedule = evenSchedule(100, 1, 1);
    expect(dueBy(schedule, 0, 0)).toBe(1);
    expect(dueBy(schedule, 45, 1)).toBe(5);
    expect(dueBy(schedule, 60_000, 5)).toBe(100);
  });
});
