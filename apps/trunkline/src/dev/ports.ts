/** Where the local platform listens when nobody else does; a taken one means the next free one, said aloud. */
export const defaultPorts = { gateway: 4700, operations: 4701, genesys: 4711, techone: 4712, salesforce: 4713, database: 4720, broker: 4730 } as const;
