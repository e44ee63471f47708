export { openBench, type Bench } from './bench.js';
