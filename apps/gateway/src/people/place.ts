import type { Place } from '@trunkline/identity';
import type { FastifyRequest } from 'fastify';

export function placeOf(request: FastifyRequest): Place {
  return { address: request.ip, browser: request.headers['user-agent'] ?? '' };
}
