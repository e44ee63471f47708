import { runService } from '@trunkline/service';
import { readConnectorConfig } from '@trunkline/worker';
import { startConnector } from './index.js';

await runService(() => startConnector(readConnectorConfig()));
