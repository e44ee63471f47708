import { until } from '../support/until.js';
import type { Row } from './matrix.js';
import { patienceMs } from './patience.js';
import { Plant, type PlantOptions } from './plant.js';
import type { OnceFigures } from './stage.js';

/** One test for each row, one after the other on one plant. */
export function runMatrix(rows: readonly Row[], options: () => PlantOptions = () => ({})): void {
  let plant: Plant | undefined;
  let isSpoilt = false;
  beforeEach(async () => {
    // What a row that failed has left undone does not fail the next.
    const spoilt = isSpoilt ? plant : undefined;
    if (isSpoilt) plant = undefined;
    await spoilt?.end();
    plant ??= await Plant.start(options());
    isSpoilt = true;
  }, 4 * patienceMs);
  afterEach(async () => {
    plant?.server.release();
    await plant?.provider.clear();
  });
  afterAll(() => plant?.end(), patienceMs);

  it.each(rows.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    if (plant === undefined) throw new Error('the plant did not start');
    const stage = await plant.stage();
    await plant.replace('gateway');
    await plant.replace('ledger');
    await plant.replace('worker');
    await plant.untilAtRest();
    await plant.replace('ledger', row.ledger);
    await row.given?.(stage, plant);
    for (const { point, nth = 1, act, then } of row.deaths) {
      const life = { ...row.environment, TRUNKLINE_FAILPOINT: nth === 1 ? point : `${point}:${nth}` };
      // The second and further deaths may come before the process is ready: what the one before left undone leads there.
      if (act === undefined) plant.process(row.dies).start(life);
      else await plant.replace(row.dies, life);
      await act?.(stage, plant);
      await plant.untilKilledAt(row.dies, point, nth);
      await then?.(stage, plant);
      expect(await plant.passedTooEarly(stage)).toEqual([]);
    }
    await row.afterwards?.(stage, plant);
    await plant.replace(row.dies);
    if (stage.receipts.size === 0) await stage.publish();
    await stage.untilEnded();
    await row.inTheEnd?.(stage, plant);
    expect(await stage.breaches()).toEqual([]);
    expect(await plant.passedTooEarly(stage)).toEqual([]);
    // A late answer may still take a parked step out of doubt.
    const { once = allDone } = row;
    await until('the end of what may not be repeated', async () => isAsExpected(once, stage.onceFigures(await stage.runs())), patienceMs / 3).catch(async () => once(stage.onceFigures(await stage.runs())));
    isSpoilt = false;
  }, 5 * patienceMs);
}

function allDone(figures: OnceFigures): void {
  expect(figures).toEqual({ done: figures.done, parked: 0, written: 0 });
}

function isAsExpected(once: NonNullable<Row['once']>, figures: OnceFigures): boolean {
  try {
    once(figures);
    return true;
  } catch {
    // Not yet, or never: the last look says what is wrong.
    return false;
  }
}
