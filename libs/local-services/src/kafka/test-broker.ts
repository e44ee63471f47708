/**
 * One broker for a whole test run: prints one line of JSON, then keeps the broker until its standard input ends.
 * `node libs/local-services/dist/kafka/test-broker.js` → `{"source":"local","brokers":["127.0.0.1:40357"]}` or `{"source":"none","reason":"…"}`.
 */
import { resolveBroker } from './resolve-broker.js';

const found = await resolveBroker((message) => process.stderr.write(`kafka: ${message}\n`));
if (found.source === 'none') {
  process.stdout.write(`${JSON.stringify(found)}\n`);
} else {
  process.stdout.write(`${JSON.stringify({ source: found.source, brokers: found.brokers })}\n`);
  const stop = () => found.stop().then(() => process.exit(0));
  process.stdin.resume();
  process.stdin.once('end', stop);
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
