export type { WorkerLogger, WorkerMetrics, WorkerOptions, WorkerTuning } from './ports.js';
export type { Worker } from './worker.js';
export { createWorker } from './worker.js';
export type { ConnectorApp, ConnectorConfig, ConnectorParts, RunningConnector } from './start-connector.js';
export { connectorSchema, readConnectorConfig, startConnector } from './start-connector.js';
export { CredentialsUnreadable, HeartbeatStale } from './errors.js';
