import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { TrunklineError } from '@trunkline/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KeyMissing } from './errors.js';
import { problemOf, registered } from './problem.js';

export type ReportBug = (error: TrunklineError, requestId: string) => void;

const retryAfterSeconds = 2;
/** Facts of an error that leave with it. */
const told = ['problems', 'plan', 'limit'] as const;

/** Every error leaves as RFC 9457 problem details with a registered code; only what is ours is logged, and only there with its cause. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly reportBug: ReportBug) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    answerProblem(thrown, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), this.reportBug);
  }
}

export function answerProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply, reportBug: ReportBug): void {
  const error = registered(thrown);
  if (error.definition.class === 'bug') reportBug(error, String(request.id));
  const status = error.definition.http;
  if (status === 401) reply.header('www-authenticate', KeyMissing.matches(error) ? 'Bearer' : 'Bearer error="invalid_token"');
  const waitSeconds = error.facts['retryAfterSeconds'] ?? (status === 503 || status === 429 ? retryAfterSeconds : null);
  if (waitSeconds !== null) reply.header('retry-after', String(waitSeconds));
  const listed = Object.fromEntries(told.filter((name) => error.facts[name] !== undefined).map((name) => [name, error.facts[name]]));
  reply.code(status).header('content-type', 'application/problem+json; charset=utf-8').send(JSON.stringify({ ...problemOf(error), ...listed, request_id: String(request.id) }));
}
