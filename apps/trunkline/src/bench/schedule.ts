/** When each request of an open-loop load is due, in ms after its start: fixed beforehand, whatever the answers do. */
export interface Schedule {
  readonly requests: number;
  dueMs(index: number): number;
}

/** `rate` counts events, `batch` says how many of them one request carries. */
export function evenSchedule(rate: number, batch: number, durationS: number): Schedule {
  const requestsPerSecond = rate / batch;
  return { requests: Math.max(1, Math.round(requestsPerSecond * durationS)), dueMs: (index) => (index * 1000) / requestsPerSecond };
}

/** How many of the requests are due `elapsedMs` after the start. */
export function dueBy(schedule: Schedule, elapsedMs: number, from: number): number {
  let due = from;
  while (due < schedule.requests && schedule.dueMs(due) <= elapsedMs) due += 1;
  return due;
}
