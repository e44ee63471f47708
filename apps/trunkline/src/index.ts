export type { LandscapeWishes, ServiceWish } from './processes/landscape.js';
export { Landscape } from './processes/landscape.js';
export type { ServiceWishes } from './processes/service-process.js';
export { ServiceProcess } from './processes/service-process.js';
