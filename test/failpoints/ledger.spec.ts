import { ledgerRows } from './matrix.js';
import { runMatrix } from './run-matrix.js';

describe('the ledger, killed exactly at', () => {
  runMatrix(ledgerRows);
});
