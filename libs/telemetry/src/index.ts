export type { LogFacts, LogLevel, Logger, LoggerOptions } from './logger.js';
export { createLogger } from './logger.js';
export type { BreakerState, Metrics, MetricsOptions } from './metrics.js';
export { createMetrics } from './metrics.js';
export { meteredEventLog } from './metered-log.js';
export { redact, redactText } from './redact.js';
