import { describeConnector, simulatorFor } from '../../testing/index.js';
import { salesforce } from './salesforce.js';

describeConnector(salesforce, {
  simulator: () => simulatorFor({ provider: 'salesforce' }),
  settings: (url) => ({ instance_url: url }),
  actions: { push_summary: { input: { subject: 'Missed bin', job_number: 'WR-000001', description: 'Since Monday' }, writePath: '/sobjects/Task/' } },
  setup: `${__dirname}/SETUP.md`,
});
