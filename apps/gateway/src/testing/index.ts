export type { MatrixRow } from './access-matrix.js';
export { accessMatrix } from './access-matrix.js';
export type { Headers, Tenant } from './matrix-world.js';
export { MatrixWorld } from './matrix-world.js';
export type { Operation } from './operations.js';
export { operationsOf, pathOf } from './operations.js';
export { sendPath, sendRaw } from './raw-http.js';
export type { TestAnswer, TestGateway } from './test-gateway.js';
export { startTestGateway } from './test-gateway.js';
