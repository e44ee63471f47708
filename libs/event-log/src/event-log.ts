import { failpoint } from '@trunkline/failpoints';
import { RunningConsumption, type ConsumptionTuning } from './consume/consumption.js';
import { systemTiming, type Timing } from './consume/timing.js';
import type { LogDriver } from './driver.js';
import { LogClosed, RecordInvalid } from './errors.js';
import type { Consumption, EventLog, LogRecord } from './port.js';

export interface EventLogOptions extends Partial<ConsumptionTuning> {
  readonly timing?: Timing;
}

/** The port over a driver. */
export function createEventLog(driver: LogDriver, { timing = systemTiming, ...tuning }: EventLogOptions = {}): EventLog {
  const settings: ConsumptionTuning = {
    commitIntervalMs: 50,
    gapLimit: 10_000,
    waitingBytesLimit: 4 * 1024 * 1024,
    revokeWaitMs: 5_000,
    report: () => undefined,
    ...tuning,
  };
  const running = new Set<Consumption>();
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await Promise.all([...running].map((consumption) => consumption.stop(0)));
    await driver.close();
  };
  return {
    driver: driver.name,
    ensureTopics: (topics) => driver.ensureTopics(topics),
    async append(topic, records) {
      if (closing !== null) throw LogClosed.because(`appending to ${topic}`);
      if (records.length === 0) return [];
      for (const record of records) check(topic, record);
      const positions = await driver.append(topic, records);
      failpoint('log.afterAppend');
      return positions;
    },
    async consume(consumer) {
      if (closing !== null) throw LogClosed.because(`joining group ${consumer.group}`);
      const consumption = await RunningConsumption.start(driver, consumer, settings, timing);
      running.add(consumption);
      return consumption;
    },
    topics: () => driver.topics(),
    lag: (group) => driver.lag(group),
    clockOffsetMs: () => driver.clockOffsetMs(),
    ping: () => driver.ping(),
    close: () => (closing ??= close()),
  };
}

/** Refused before it joins a batch: one bad record must not fail its neighbours. */
function check(topic: string, { key, value, headers }: LogRecord): void {
  const isSound = isBytes(key) && isBytes(value) && headers.every(([name, bytes]) => typeof name === 'string' && name.length > 0 && Buffer.isBuffer(bytes));
  if (!isSound) throw RecordInvalid.because(`appending to ${topic}`);
}

function isBytes(bytes: Buffer | null): boolean {
  return bytes === null || Buffer.isBuffer(bytes);
}
