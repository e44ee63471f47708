import { pino } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { redact, redactText } from './redact.js';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent';

/** What the libraries ask for; pass it in, never import one. */
export interface Logger {
  warn(facts: LogFacts, message: string): void;
  error(facts: LogFacts, message: string): void;
  info(facts: LogFacts, message: string): void;
  debug(facts: LogFacts, message: string): void;
  child(facts: LogFacts): Logger;
}

/** A warning is something to act on: organisation, integration, run and code belong with it; `err` for an error. */
export type LogFacts = Readonly<Record<string, unknown>>;

export interface LoggerOptions {
  readonly app: string;
  readonly level?: LogLevel;
  /** One JSON object per line; standard error unless given (standard output belongs to data). */
  readonly destination?: DestinationStream;
}

export function createLogger({ app, level = 'info', destination }: LoggerOptions): Logger {
  return wrap(
    pino(
      {
        level,
        base: { app, pid: process.pid },
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
        messageKey: 'message',
        // Already made plain; pino's own serializer would drop code and cause.
        serializers: { err: (value: unknown) => value },
      },
      destination ?? pino.destination({ fd: 2, sync: true }),
    ),
  );
}

function wrap(target: PinoLogger): Logger {
  const clean = (facts: LogFacts): object => redact(facts) as object;
  const at = (level: 'warn' | 'error' | 'info' | 'debug') => (facts: LogFacts, message: string): void => {
    if (target.isLevelEnabled(level)) target[level](clean(facts), redactText(message));
  };
  return { warn: at('warn'), error: at('error'), info: at('info'), debug: at('debug'), child: (facts) => wrap(target.child(clean(facts))) };
}
