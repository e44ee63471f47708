import { runService } from '@trunkline/service';
import { readGatewayConfig } from './config.js';
import { startGateway } from './start-gateway.js';

await runService(async () => {
  const gateway = await startGateway(readGatewayConfig(), { announce: (text) => process.stderr.write(text) });
  return { stop: () => gateway.close() };
});
