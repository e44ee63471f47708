export { Canary } from './canary.js';
export { hostsWithin } from './hosts-within.js';
