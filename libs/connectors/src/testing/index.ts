export type { ConnectorUnderTest } from './describe-connector.js';
export { describeConnector } from './describe-connector.js';
export { fixture } from './fixture/fixture.js';
export type { FixtureServer, Moment } from './fixture/fixture-server.js';
export { startFixtureServer } from './fixture/fixture-server.js';
export type { FaultWish, JournaledEffect } from './simulator-control.js';
export { SimulatorControl } from './simulator-control.js';
export { simulatorFor } from './simulator.js';
