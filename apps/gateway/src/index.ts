export { asyncApiYaml, openApiJson } from './documents/documents.js';
export type { GatewayConfig } from './config.js';
export { gatewaySchema, readGatewayConfig } from './config.js';
export type { GatewayParts, RunningGateway } from './start-gateway.js';
export { startGateway } from './start-gateway.js';
