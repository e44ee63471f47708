import { ApiPropertyOptional, PickType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, Min } from 'class-validator';
import { PageQuery } from '../control/page.dto.js';

export class AuditQuery extends PickType(PageQuery, ['limit']) {
  @ApiPropertyOptional({ minimum: 1, description: '`next` of the page before: entries older than this one.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  before?: number;

  @ApiPropertyOptional({ minimum: 0, description: 'Entries after this one, oldest first: for checking the chain from its beginning.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  after?: number;
}
