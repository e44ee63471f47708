import type { Provider } from './kit/index.js';
import { genesys } from './providers/genesys/genesys.js';
import { salesforce } from './providers/salesforce/salesforce.js';
import { techone } from './providers/techone/techone.js';

/** Every provider Trunkline knows: one line each. */
export const providers: readonly Provider[] = [
  genesys,
  salesforce,
  techone,
];
