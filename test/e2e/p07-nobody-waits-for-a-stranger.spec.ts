import { tellFigure } from '../surroundings/figures.js';
import { summaryAlone, techoneStep, type Council } from '../support/council.js';
import type { GatewayClient } from '../support/gateway-client.js';
import { NearProvider } from '../support/provider.js';
import { councilEvent } from '../support/service-requests.js';
import { System } from '../support/system.js';
import { until } from '../support/until.js';

/** `npm run test:surroundings` measures for a minute; a hanging call is given up after half of one, so that new ones are begun meanwhile. */
const isShortForm = process.env['SURROUNDINGS_SECONDS'] === undefined;
const eventCount = isShortForm ? 60 : 480;
/** A machine that stands still for a moment in a short round slows three events of one of the two and so its p95; a stranger whom others wait for slows every round. */
const rounds = isShortForm ? 5 : 1;
const warmUpCount = 20;
const strangersEvents = 60;
const strangersEvery = 100;
/** What was given up and looked for is not there while this lasts. */
const longerThanAnyRoundMs = 3_600_000;
/**
 * By so much the p95 of two that are alike may differ by chance.
 * Both platforms share the event loop of this process: what the stranger takes of the processor slows both alike and is not seen here. `test/surroundings/poison.spec.ts` weighs processor time.
 */
const allowed = { ratio: 1.25, ms: 15 };

jest.setTimeout((rounds * eventCount + 120) * 1_000);

const kinds = ['salesforceOnly', 'techoneElsewhere'] as const;
const places = ['beside', 'apart'] as const;
type Place = (typeof places)[number];
type Measured = Readonly<Record<(typeof kinds)[number], Readonly<Record<Place, number>>>>;

const areAlike = ({ beside, apart }: Readonly<Record<Place, number>>): boolean => beside <= allowed.ratio * apart + allowed.ms;

interface Tenant {
  readonly kind: (typeof kinds)[number];
  readonly place: Place;
  readonly system: System;
  readonly client: GatewayClient;
}

/** The same platform twice: at one of them a stranger hangs on its provider. What the machine does besides weighs on both alike. */
describe('P7: nobody waits for a stranger', () => {
  let systems: Readonly<Record<Place, System>>;
  let tenants: readonly Tenant[];
  let hanging: NearProvider;
  let slow: Council;

  beforeAll(async () => {
    hanging = await NearProvider.start('techone');
    // One that takes every connection and answers no save.
    await hanging.addFault({ match: { operation: 'saveWorkRequest' }, commitAfterMs: longerThanAnyRoundMs });
    const [beside, apart] = [await System.start(), await System.start()];
    systems = { beside, apart };
    slow = await beside.seed({ addresses: { techone: hanging.url }, steps: (integrations) => [{ ...techoneStep(integrations), timeoutMs: 30_000, ordering: 'none' }] });
    tenants = await Promise.all(places.flatMap((place) => kinds.map((kind) => seeded(kind, place, systems[place]))));
  });

  afterAll(async () => {
    await Promise.all(Object.values(systems).map((system) => system.end()));
    await hanging.remove();
  });

  async function seeded(kind: Tenant['kind'], place: Place, system: System): Promise<Tenant> {
    const council = await system.seed({ steps: (integrations) => [kind === 'salesforceOnly' ? summaryAlone(integrations) : { ...techoneStep(integrations), ordering: 'none' }] });
    return { kind, place, system, client: system.client(council) };
  }

  /** An event for each in turn; the p95 of the milliseconds from acceptance to the end, by place. */
  async function p95sByTurns(prefix: string, count: number, beforeTurn: (index: number) => Promise<void>): Promise<Measured> {
    const runIds = new Map(tenants.map((tenant) => [tenant, [] as string[]]));
    for (let index = 0; index < count; index += 1) {
      await beforeTurn(index);
      for (const tenant of index % 2 === 0 ? tenants : tenants.toReversed()) {
        runIds.get(tenant)?.push(...(await tenant.client.publishSurely([councilEvent(`${prefix}-${tenant.kind}-${index}`)])).values());
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    const found = await Promise.all([...runIds].map(async ([tenant, ids]) => ({ ...tenant, ms: await p95Of(tenant.system, ids) })));
    const at = (kind: Tenant['kind'], place: Place): number => found.find((one) => one.kind === kind && one.place === place)?.ms ?? Number.NaN;
    const both = (kind: Tenant['kind']) => ({ beside: at(kind, 'beside'), apart: at(kind, 'apart') });
    return { salesforceOnly: both('salesforceOnly'), techoneElsewhere: both('techoneElsewhere') };
  }

  async function p95Of(system: System, runIds: readonly string[]): Promise<number> {
    await system.untilState(runIds, 'done');
    const rows = await system.reader.query<{ ms: number }>('select (extract(epoch from finished_at - accepted_at) * 1000)::float8 as ms from runs where run_id = any($1::uuid[]) order by 1', [runIds]);
    return rows[Math.ceil(rows.length * 0.95) - 1]?.ms ?? Number.NaN;
  }

  it('leaves the pace of other tenants as it is without one who hangs on its provider', async () => {
    await p95sByTurns('warm-up', warmUpCount, () => Promise.resolve());
    const stuck: string[] = [];
    const hangOn = async (index: number): Promise<void> => {
      if (index % strangersEvery !== 0) return;
      const added = [...(await systems.beside.client(slow).publishSurely(Array.from({ length: strangersEvents }, (_, number) => councilEvent(`hanging-${stuck.length}-${number}`)))).values()];
      stuck.push(...added);
      // Sixty events more are work for anybody's neighbours; what is asked here is whether they wait for those that hang.
      await until('the stranger\'s events planned, calls hanging', async () => (await hanging.callsInHand()) > 0 && (await systems.beside.reader.runs()).filter(({ runId }) => added.includes(runId)).length === added.length);
    };
    const unlike = new Set<Tenant['kind']>(kinds);
    let last: Measured | undefined;
    for (let round = 0; round < rounds && unlike.size > 0; round += 1) {
      last = await p95sByTurns(`measured-${round}`, eventCount, hangOn);
      for (const kind of unlike) if (areAlike(last[kind])) unlike.delete(kind);
      tellFigure('p95 in ms, beside a stranger who hangs and apart from it', JSON.stringify(last));
    }
    expect((await systems.beside.reader.runs()).filter(({ runId, state }) => stuck.includes(runId) && state === 'done')).toEqual([]);
    expect(await hanging.callsInHand()).toBeGreaterThan(0);
    expect({ slowed: [...unlike], last }).toEqual({ slowed: [], last });
  });
});
