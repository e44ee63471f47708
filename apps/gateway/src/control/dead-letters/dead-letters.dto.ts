import { ApiPropertyOptional, IntersectionType } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsBoolean, IsISO8601, IsNumber, IsOptional, IsString, IsUUID, Max, MaxLength, Min } from 'class-validator';
import { PageQuery } from '../page.dto.js';

const asBoolean = Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value));

/** Which dead letters are meant. */
export class DeadLetterFilterFields {
  @ApiPropertyOptional({ description: 'Error class: data, conflict, auth, bug, …' })
  @IsOptional()
  @IsString()
  @MaxLength(50)
  class?: string;

  @ApiPropertyOptional({ description: 'Registered error code.' })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  code?: string;

  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsUUID()
  integration_id?: string;

  @ApiPropertyOptional({ format: 'uuid' })
  @IsOptional()
  @IsUUID()
  run_id?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Last seen at or after this time.' })
  @IsOptional()
  @IsISO8601({ strict: true })
  seen_after?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Last seen before this time.' })
  @IsOptional()
  @IsISO8601({ strict: true })
  seen_before?: string;
}

export class DeadLettersQuery extends IntersectionType(DeadLetterFilterFields, PageQuery) {
  @ApiPropertyOptional({ default: true, description: 'Only those neither redriven nor closed; false shows all.' })
  @IsOptional()
  @asBoolean
  @IsBoolean()
  open: boolean = true;
}

export class RedriveBody extends DeadLetterFilterFields {
  @ApiPropertyOptional({ type: [String], format: 'uuid', description: 'Exactly these, instead of a filter.' })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(1000)
  @IsUUID(undefined, { each: true })
  ids?: string[];

  @ApiPropertyOptional({ default: false, description: 'Only count, and show a sample.' })
  @IsOptional()
  @IsBoolean()
  dry_run: boolean = false;

  @ApiPropertyOptional({ description: 'Pace; steps beyond it become due later.' })
  @IsOptional()
  @IsNumber()
  @Min(0.01)
  @Max(10_000)
  per_second?: number;

  @ApiPropertyOptional({ default: false, description: 'Needed for a record that was dead-lettered three times.' })
  @IsOptional()
  @IsBoolean()
  force: boolean = false;
}
