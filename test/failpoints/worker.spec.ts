import { workerRows } from './matrix.js';
import { runMatrix } from './run-matrix.js';

describe('the worker, killed exactly at', () => {
  runMatrix(workerRows);
});
