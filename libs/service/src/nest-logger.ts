import type { LoggerService } from '@nestjs/common';
import type { Logger } from '@trunkline/telemetry';

/** Nest's own words go to our log; its chatter about routes and modules goes nowhere. */
export function nestLogger(logger: Logger): LoggerService {
  const write = (level: 'warn' | 'error') => (message: unknown, ...rest: unknown[]) => {
    const text = typeof message === 'string' ? message : 'nest';
    logger[level]({ source: 'nest', ...(typeof message === 'string' ? {} : { err: message }), ...(rest.length > 0 ? { detail: rest } : {}) }, text);
  };
  return { log: () => undefined, debug: () => undefined, verbose: () => undefined, warn: write('warn'), error: write('error'), fatal: write('error') };
}
