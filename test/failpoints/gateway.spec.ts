import { gatewayRows } from './matrix.js';
import { runMatrix } from './run-matrix.js';

describe('the gateway, killed exactly at', () => {
  runMatrix(gatewayRows);
});
