import { providers } from '@trunkline/connectors';
import { startConnector as start, type ConnectorConfig, type ConnectorParts, type RunningConnector } from '@trunkline/worker';

const family = 'contact-centre';

/** Contact centres: Genesys Cloud. A worker app is a list of providers and nothing else. */
export function startConnector(config: ConnectorConfig, parts?: ConnectorParts): Promise<RunningConnector> {
  return start({ family, providers: providers.filter((provider) => provider.family === family) }, config, parts);
}
