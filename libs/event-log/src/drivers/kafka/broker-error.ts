import { TrunklineError } from '@trunkline/contracts';
import { LogUnavailable, TopicMissing } from '../../errors.js';

/** The broker's own name for its refusal; null where it did not answer. kafkajs calls it `type` and wraps it, sometimes twice; @platformatic/kafka calls it `apiId` and collects several. */
export function brokerErrorType(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('type' in error && typeof error.type === 'string') return error.type;
  if ('apiId' in error && typeof error.apiId === 'string') return error.apiId;
  const causes: readonly unknown[] = [...('errors' in error && Array.isArray(error.errors) ? error.errors.toReversed() : []), error.cause];
  for (const cause of causes) {
    const type = brokerErrorType(cause);
    if (type !== null) return type;
  }
  return null;
}

/** A question to the broker that fails as one of the port's own errors. */
export async function asking<Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof TrunklineError) throw error;
    if (brokerErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') throw TopicMissing.from(error, what);
    throw LogUnavailable.from(error, what);
  }
}
