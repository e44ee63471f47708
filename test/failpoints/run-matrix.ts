import { Plant, type PlantOptions } from './plant.js';
import type { Row } from './matrix.js';

/** One test for each row, one after the other on one plant. */
export function runMatrix(rows: readonly Row[], options: () => PlantOptions = () => ({})): void {
  let plant: Plant | undefined;

  beforeAll(async () => {
    plant = await Plant.start(options());
  }, 60_000);
  afterEach(async () => {
    plant?.server.release();
    await plant?.provider.clear();
  });
  afterAll(() => plant?.end(), 30_000);

  it.each(rows.map((row) => [row.name, row] as const))('%s', async (_name, row) => {
    if (plant === undefined) throw new Error('the plant did not start');
    const stage = await plant.stage();
    await plant.replace('gateway');
    await plant.replace('ledger');
    await plant.replace('worker');
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
    await plant.replace(row.dies, row.environment);
    if (stage.receipts.size === 0) await stage.publish();
    await stage.untilEnded();
    await row.finally?.(stage, plant);
    expect(await stage.breaches()).toEqual([]);
    expect(await plant.passedTooEarly(stage)).toEqual([]);
    const figures = stage.onceFigures(await stage.runs());
    if (row.once === undefined) expect(figures).toEqual({ done: 2, parked: 0, written: 0 });
    else row.once(figures);
  }, 90_000);
}
