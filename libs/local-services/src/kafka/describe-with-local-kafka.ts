import { whyNoLocalKafka } from './requirements.js';
import { mustNotSkip } from './resolve-broker.js';

/** A suite that stops and kills its broker. Where none can be started it is skipped, loudly; in CI, or with REQUIRE_KAFKA=1, it fails. */
export function describeWithLocalKafka(name: string, suite: () => void): void {
  const reason = whyNoLocalKafka();
  if (reason === null) describe(name, suite);
  else if (mustNotSkip()) {
    it(`${name}: needs a local Kafka broker`, () => {
      throw new Error(reason);
    });
  } else {
    process.stderr.write(`Kafka suite skipped: ${name}: ${reason}\n`);
    describe.skip(name, suite);
  }
}
