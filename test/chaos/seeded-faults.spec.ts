import { rehearse, type Outcome } from './rehearse.js';
import { seededFaults, type Rehearsal } from './seeded-faults.js';
import { SpoiledBuild } from './spoiled-build.js';
import { describeWithLocalKafka } from '@trunkline/local-services';

jest.setTimeout(400_000);

const isComplete = process.env['CHAOS'] === 'complete';
const shown = seededFaults.filter(({ isQuick }) => isComplete || isQuick === true);
const rehearsals = new Map<string, Rehearsal>(shown.map(({ rehearsal }) => [JSON.stringify(rehearsal), rehearsal]));

/** Names what was found and, where it was not what was looked for, everything that was said. */
function brokenIn({ result, output }: Outcome): readonly string[] {
  if (result === null) throw new Error(`there is no result:\n${output.slice(-4_000)}`);
  return result.findings.filter(({ breaches }) => breaches > 0).map(({ invariant }) => invariant);
}

it('fits the build as it is: every text to be spoiled is there once', () => {
  new SpoiledBuild(seededFaults.flatMap(({ spoilings }) => spoilings).filter(({ find }, index, all) => all.findIndex((other) => other.find === find) === index)).remove();
});

describeWithLocalKafka('the checker is checked', () => {
  it.each(shown.map((fault) => [fault.name, fault] as const))('finds it when %s', async (_name, { spoilings, rehearsal, shows, says = '' }) => {
    const build = new SpoiledBuild(spoilings);
    try {
      const outcome = await rehearse([...rehearsal.words, '--seed', '1'], { schedule: rehearsal.schedule, appsRoot: build.folder });
      if (!brokenIn(outcome).includes(shows)) throw new Error(`${shows} was not found broken, only [${brokenIn(outcome).join(', ')}]:\n${outcome.output.slice(-6_000)}`);
      if (!outcome.output.includes(says)) throw new Error(`${shows} was found broken, and nothing says "${says}":\n${outcome.output.slice(-6_000)}`);
      expect(outcome.status).toBe(1);
    } finally {
      build.remove();
    }
  });

  // Without the fault the same run passes: what was found was the fault, not the run.
  const controls = isComplete ? [...rehearsals.values()] : [];
  if (controls.length > 0) {
    it.each(controls.map((rehearsal) => [JSON.stringify(rehearsal.schedule), rehearsal] as const))('finds nothing in the build as it is, under %s', async (_schedule, rehearsal) => {
      const outcome = await rehearse([...rehearsal.words, '--seed', '1'], { schedule: rehearsal.schedule });
      if (outcome.status !== 0) throw new Error(outcome.output.slice(-6_000));
    });
  }
});
