import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsObject, IsOptional, IsString, IsUUID, Matches, Max, MaxLength, Min, MinLength, ValidateNested } from 'class-validator';

export const stepDefaults = { onFailure: 'stop', timeoutMs: 30_000, ordering: 'none', retry: { attempts: 5, backoffMs: 1_000, maxBackoffMs: 60_000 } } as const;

export class RetryBody {
  @ApiPropertyOptional({ default: stepDefaults.retry.attempts, minimum: 1, maximum: 100, description: 'Attempts that reach the provider, the first included.' })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(100)
  attempts: number = stepDefaults.retry.attempts;

  @ApiPropertyOptional({ default: stepDefaults.retry.backoffMs, minimum: 1 })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(86_400_000)
  backoff_ms: number = stepDefaults.retry.backoffMs;

  @ApiPropertyOptional({ default: stepDefaults.retry.maxBackoffMs, minimum: 1 })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(86_400_000)
  max_backoff_ms: number = stepDefaults.retry.maxBackoffMs;
}

export class StepBody {
  @ApiPropertyOptional({ description: 'Given once by the server; send it back so that a renamed step stays the same step.' })
  @IsOptional()
  @IsString()
  @Matches(/^[a-z0-9][a-z0-9_-]{0,63}$/)
  id?: string;

  @ApiProperty({ description: 'Later steps read this step as `steps.<name>`.' })
  @IsString()
  @MaxLength(63)
  name: string;

  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  integration: string;

  @ApiProperty({ description: 'Lower first; equal numbers run together.' })
  @IsInt()
  @Min(-1_000_000)
  @Max(1_000_000)
  priority: number;

  @ApiProperty({ example: 'create_job' })
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  action: string;

  @ApiPropertyOptional({ type: String, nullable: true, description: 'CEL over `event` and the results of earlier `steps`; null: always.' })
  @IsOptional()
  @IsString()
  @MaxLength(10_000)
  condition?: string | null;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'Target field → path or expression over `event` and the results of earlier `steps`.' })
  @IsOptional()
  @IsObject()
  input: Record<string, unknown> = {};

  @ApiPropertyOptional({ enum: ['stop', 'continue', 'skip_dependants'], default: stepDefaults.onFailure })
  @IsOptional()
  @IsIn(['stop', 'continue', 'skip_dependants'])
  on_failure: 'stop' | 'continue' | 'skip_dependants' = stepDefaults.onFailure;

  @ApiPropertyOptional({ default: stepDefaults.timeoutMs, minimum: 100, maximum: 600_000 })
  @IsOptional()
  @IsInt()
  @Min(100)
  @Max(600_000)
  timeout_ms: number = stepDefaults.timeoutMs;

  @ApiPropertyOptional({ type: RetryBody })
  @IsOptional()
  @ValidateNested()
  @Type(() => RetryBody)
  retry: RetryBody = new RetryBody();

  @ApiPropertyOptional({ enum: ['none', 'subject'], default: stepDefaults.ordering, description: '`subject`: strictly in order for one conversation or contact.' })
  @IsOptional()
  @IsIn(['none', 'subject'])
  ordering: 'none' | 'subject' = stepDefaults.ordering;
}

export class ChainBody {
  @ApiProperty({ type: [StepBody] })
  @IsArray()
  @ArrayMaxSize(50)
  @ValidateNested({ each: true })
  @Type(() => StepBody)
  steps: StepBody[];
}

export class ChainQuery {
  @ApiPropertyOptional({ description: "Whose chain; without it the organisation's default." })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  assistant: string = '';
}
