import { Controller } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import type { RecordOutcome, StoredRecord } from '@trunkline/event-log';
import type { BatchHandlerOptions, RecordHandlerOptions } from './handlers.js';
import { BatchHandler, RecordHandler } from './handlers.js';

/** A controller whose group and topics are known only when the app starts. */
export function batchController(options: BatchHandlerOptions, handleBatch: (records: readonly StoredRecord[]) => Promise<readonly RecordOutcome[]>): Type<object> {
  @Controller()
  class Batches {
    @BatchHandler(options)
    async handle(records: readonly StoredRecord[]): Promise<readonly RecordOutcome[]> {
      return handleBatch(records);
    }
  }
  return Batches;
}

/** The same for one record at a time. */
export function recordController(options: RecordHandlerOptions, handleRecord: (record: StoredRecord) => Promise<RecordOutcome>): Type<object> {
  @Controller()
  class Records {
    @RecordHandler(options)
    async handle(record: StoredRecord): Promise<RecordOutcome> {
      return handleRecord(record);
    }
  }
  return Records;
}
