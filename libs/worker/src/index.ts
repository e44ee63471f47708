export type { Heartbeat, WorkerLogger, WorkerMetrics, WorkerOptions, WorkerTuning } from './ports.js';
export type { Worker } from './worker.js';
export { createWorker } from './worker.js';
export { CredentialsUnreadable, HeartbeatStale } from './errors.js';
