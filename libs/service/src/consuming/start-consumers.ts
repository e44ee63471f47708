import type { Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Logger } from '@trunkline/telemetry';
import { nestLogger } from '../nest-logger.js';
import type { RunningService } from '../run-service.js';
import type { EventLogStrategyOptions } from './event-log.strategy.js';
import { EventLogStrategy } from './event-log.strategy.js';

export interface ConsumersOptions extends EventLogStrategyOptions {
  readonly controllers: readonly Type<object>[];
  readonly providers?: readonly Provider[];
  readonly logger: Logger;
}

export interface RunningConsumers extends RunningService {
  readonly strategy: EventLogStrategy;
}

/** A Nest microservice over the event log: the controllers' handlers consume once this resolves. */
export async function startConsumers({ controllers, providers = [], logger, ...options }: ConsumersOptions): Promise<RunningConsumers> {
  @Module({ controllers: [...controllers], providers: [...providers] })
  class Consumers {}

  const strategy = new EventLogStrategy(options);
  const app = await NestFactory.createMicroservice(Consumers, { strategy, logger: nestLogger(logger), abortOnError: false });
  try {
    await app.listen();
  } catch (error) {
    await app.close();
    throw error;
  }
  return {
    strategy,
    stop: async (graceMs) => {
      await strategy.close(graceMs);
      await app.close();
    },
  };
}
