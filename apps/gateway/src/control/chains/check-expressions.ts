import { checkChain, stepsReadBy } from '@trunkline/mapping';
import type { ChainSurroundings } from './chain-draft.js';

/** What the conditions and mappings of a chain read, once all of them compile. */
export const checkExpressions: ChainSurroundings['checkExpressions'] = (steps) => {
  const problems = checkChain(steps);
  return {
    problems: problems.map(({ step, field, code, message }) => ({ step, field, code, message })),
    readsOf: (step) => (problems.length > 0 ? [] : stepsReadBy(step, steps)),
  };
};
