import { describeWithLocalKafka } from '@trunkline/local-services';
import { describeEventLog } from '../../testing/conformance.js';
import { startKafkaHarness } from '../../testing/kafka-harness.js';

/** On a broker of its own, since cases stop it. */
describeWithLocalKafka('the Kafka driver', () => describeEventLog('kafka', () => startKafkaHarness('kafkajs')));
