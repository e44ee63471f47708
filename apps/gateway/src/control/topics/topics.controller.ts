import { Controller, Get, Inject, Query, Req, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiPropertyOptional, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { topics as registry } from '@trunkline/contracts';
import type { EventLog, PartitionLag } from '@trunkline/event-log';
import { IsArray, IsOptional, IsString, MaxLength } from 'class-validator';
import { Transform } from 'class-transformer';
import type { FastifyRequest } from 'fastify';
import { holderOf } from '../../edge/holder.js';
import { Needs } from '../../edge/needs.js';
import { bodyCheck } from '../body-check.js';
import { instant } from '../times.js';
import { consumerGroups, eventLog } from '../tokens.js';

export class TopicsQuery {
  @ApiPropertyOptional({ type: [String], description: 'Consumer groups whose lag is wanted; by default those of the ledger and the workers.' })
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? [value] : value))
  @IsArray()
  @IsString({ each: true })
  @MaxLength(200, { each: true })
  group?: string[];
}

@ApiTags('topics')
@ApiSecurity('key')
@Controller('api/topics')
@UsePipes(bodyCheck)
export class TopicsController {
  constructor(
    @Inject(eventLog) private readonly log: EventLog,
    @Inject(consumerGroups) private readonly groups: readonly string[],
  ) {}

  @Get()
  @Needs('topics:read')
  @ApiOperation({ summary: 'Topics with their figures, and the lag of each consumer group', description: 'Figures of the whole platform, not of one organisation.' })
  async list(@Req() request: FastifyRequest, @Query() query: TopicsQuery): Promise<unknown> {
    holderOf(request);
    const [figures, lags] = await Promise.all([this.log.topics(), Promise.all((query.group ?? this.groups).slice(0, 20).map(async (group) => ({ group, partitions: await this.log.lag(group) })))]);
    return {
      driver: this.log.driver,
      topics: figures.map((figure) => ({
        topic: figure.topic,
        partitions: figure.partitions,
        records: Number(figure.records),
        bytes: figure.bytes === null ? null : Number(figure.bytes),
        summary: registry.find((topic) => topic.name === figure.topic)?.summary ?? null,
      })),
      groups: lags.map(({ group, partitions }) => groupView(group, partitions)),
    };
  }
}

function groupView(group: string, partitions: readonly PartitionLag[]): Record<string, unknown> {
  const oldest = partitions.map((partition) => partition.oldestUnreadAtMs).filter((ms) => ms !== null);
  return {
    group,
    lag: partitions.reduce((sum, partition) => sum + Number(partition.lag), 0),
    oldest_unread_at: instant(oldest.length === 0 ? null : Math.min(...oldest)),
    partitions: partitions.map((partition) => ({
      topic: partition.topic,
      partition: partition.partition,
      end_offset: Number(partition.endOffset),
      committed: Number(partition.committed),
      lag: Number(partition.lag),
      oldest_unread_at: instant(partition.oldestUnreadAtMs),
    })),
  };
}
