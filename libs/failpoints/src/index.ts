export type { Arming } from './arming.js';
export { armingIn } from './arming.js';
export { FailpointInvalid } from './errors.js';
export { failpoint, markOf } from './failpoint.js';
export { failpoints, type FailpointName } from './names.js';
