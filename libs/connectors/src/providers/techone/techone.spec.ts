import { describeConnector, simulatorFor } from '../../testing/index.js';
import { techone } from './techone.js';

describeConnector(techone, {
  simulator: () => simulatorFor({ provider: 'techone' }),
  settings: (url) => ({ base_url: `${url}/T1Default/CiAnywhere/Web/TEST` }),
  actions: { create_job: { input: { description: 'Missed bin', details: 'Since Monday', type: 'GEN', priority: '3' }, writePath: '/Save' } },
  setup: `${__dirname}/SETUP.md`,
});
