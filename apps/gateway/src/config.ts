import { type Config, eventLogSchema, integer, optional, outboundSchema, port, readConfig, text } from '@trunkline/service';

/** Every variable the gateway reads. */
export const gatewaySchema = {
  host: optional(text('HOST', 'address to listen on'), '127.0.0.1'),
  port: optional(port('PORT', 'port of the HTTP API; 0: any free one'), 3000),
  opsHost: optional(text('OPS_HOST', 'address of the operations port'), '127.0.0.1'),
  opsPort: optional(port('OPS_PORT', 'port of /healthz, /readyz and /metrics; 0: any free one'), 3100),
  ...eventLogSchema,
  ...outboundSchema,
  answerWithinMs: optional(integer('ANSWER_WITHIN_MS', 'how long a publisher waits for 202 or 503', { min: 100, max: 60_000 }), 2_000),
};

/** Master keys are read by the vault: TRUNKLINE_MASTER_KEYS or TRUNKLINE_MASTER_KEYS_FILE. */
export type GatewayConfig = Config<typeof gatewaySchema>;

export function readGatewayConfig(environment: Readonly<Record<string, string | undefined>> = process.env): GatewayConfig {
  return readConfig(gatewaySchema, environment);
}
