import { appendFileSync } from 'node:fs';

/** A measured figure: a line of the table of `npm run test:surroundings`, or of the test's output. */
export function tellFigure(what: string, figure: string): void {
  const file = process.env['SURROUNDINGS_FIGURES'];
  if (file === undefined) process.stderr.write(`${what}: ${figure}\n`);
  else appendFileSync(file, `${JSON.stringify({ what, figure })}\n`);
}
