import { describeEventLog } from '../../testing/conformance.js';
import { startPostgresHarness } from '../../testing/postgres-harness.js';

describeEventLog('postgres', startPostgresHarness);
