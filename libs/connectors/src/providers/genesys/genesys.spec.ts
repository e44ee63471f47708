import { describeConnector, simulatorFor } from '../../testing/index.js';
import { genesys } from './genesys.js';

describeConnector(genesys, {
  simulator: () => simulatorFor({ provider: 'genesys' }),
  settings: (url) => ({ api_url: url, login_url: url }),
  actions: { log_conversation: { input: { text: 'A call about a bin.', contact_reference: 'resident-1', contact_name: 'Resident' }, writePath: '/notes' } },
  setup: `${__dirname}/SETUP.md`,
});
