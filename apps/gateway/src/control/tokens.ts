/** What is injected by interface. */
export const ledgerVerbs = Symbol('ledger verbs');
export const eventLog = Symbol('event log');
export const consumerGroups = Symbol('consumer groups');
export const controlPlane = Symbol('control plane');
