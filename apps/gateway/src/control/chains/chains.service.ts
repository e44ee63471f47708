import type { PlannedStep } from '@trunkline/chain';
import type { ActionCatalogue } from '@trunkline/connectors';
import { type ChainVersion } from '@trunkline/storage';
import type { Enter } from '../../audit/audit-listener.js';
import type { EventTypes } from '../../publish/event-types.js';
import type { ControlPlane } from '../control-plane.js';
import { versionExpected } from '../entity-tag.js';
import { type ChainProblem, type ChainSurroundings, draftChain } from './chain-draft.js';
import { addVersion, cameTooLate, type ChainName, integrationsOf, newestVersion } from './chain-store.js';
import type { ChainBody } from './chains.dto.js';
import { ChainInvalid, ChainMissing, ChainSavedTooSlowly } from './errors.js';

export interface SavedChain {
  readonly version: number;
  readonly validFrom: Date;
  readonly steps: readonly PlannedStep[];
}

const saveTries = 3;

/** Chains are saved only when they could run, as a new version each time (P8). */
export class ChainsService {
  constructor(
    private readonly plane: ControlPlane,
    private readonly types: EventTypes,
    private readonly catalogue: Pick<ActionCatalogue, 'find'>,
    private readonly checkExpressions: ChainSurroundings['checkExpressions'],
  ) {}

  async read(chain: ChainName): Promise<ChainVersion> {
    const version = await this.plane.inOrganisation(chain.organisationId, (manager) => newestVersion(manager, chain));
    if (version === null) throw ChainMissing.because(`${chain.eventType} has no chain`);
    return version;
  }

  async check(chain: ChainName, body: ChainBody): Promise<{ readonly steps: readonly PlannedStep[]; readonly problems: readonly ChainProblem[] }> {
    return this.plane.inOrganisation(chain.organisationId, async (manager) => {
      const previous = await newestVersion(manager, chain);
      return draftChain(body, this.surroundings(previous, await integrationsOf(manager, chain.organisationId)));
    });
  }

  async save(chain: ChainName, body: ChainBody, condition: { readonly ifMatch: string | undefined; readonly ifNoneMatch: string | undefined }, enter: Enter<SavedChain | { readonly version: number }>): Promise<SavedChain> {
    for (let tries = 1; ; tries += 1) {
      try {
        const saved = await this.saveOnce(chain, body, condition, enter);
        this.types.forget(chain.organisationId);
        await this.plane.announce({ organisationId: chain.organisationId, kind: 'chain', id: chain.eventType });
        return saved;
      } catch (error) {
        if (!cameTooLate(error)) throw error;
        if (tries === saveTries) throw ChainSavedTooSlowly.from(error, `the database took too long to commit it, ${saveTries} times in a row`);
      }
    }
  }

  private saveOnce(chain: ChainName, body: ChainBody, condition: { readonly ifMatch: string | undefined; readonly ifNoneMatch: string | undefined }, enter: Enter<SavedChain | { readonly version: number }>): Promise<SavedChain> {
    return this.plane.inOrganisation(chain.organisationId, async (manager) => {
      const previous = await newestVersion(manager, chain);
      const expected = versionExpected(condition, previous?.version ?? 0);
      const { steps, problems } = draftChain(body, this.surroundings(previous, await integrationsOf(manager, chain.organisationId)));
      if (problems.length > 0) throw ChainInvalid.because(problems.map(({ message }) => message).join(' '), { problems });
      const saved = { ...(await addVersion(manager, chain, expected + 1, steps)), steps };
      // The version before it is immutable and stays.
      await enter(manager, { version: expected }, saved);
      return saved;
    });
  }

  private surroundings(previous: ChainVersion | null, integrations: ChainSurroundings['integrations']): ChainSurroundings {
    return {
      integrations,
      previous: previous?.steps ?? [],
      actionOf: (provider, action, settings) => this.catalogue.find(provider, action, settings),
      checkExpressions: this.checkExpressions,
    };
  }
}
