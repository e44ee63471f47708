export type { ErrorClass, ErrorDefinition, RegisteredError } from './error.js';
export { TrunklineError, defineError, registeredErrors } from './error.js';
