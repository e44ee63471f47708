export type { Bench, BenchOptions } from './bench.js';
export { openBench, stepOf } from './bench.js';
