import { runStates, type RunState } from '@trunkline/chain';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsISO8601, IsOptional, IsString, IsUUID, MaxLength, MinLength } from 'class-validator';
import { PageQuery } from '../page.dto.js';

export class RunsQuery extends PageQuery {
  @ApiPropertyOptional({ enum: runStates, description: 'Only runs in this state.' })
  @IsOptional()
  @IsIn(runStates)
  state?: RunState;

  @ApiPropertyOptional({ description: 'Only runs of this event type.' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  event_type?: string;

  @ApiPropertyOptional({ description: 'Only runs of this subject.' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  subject?: string;

  @ApiPropertyOptional({ format: 'uuid', description: 'Only runs with a step of this integration.' })
  @IsOptional()
  @IsUUID()
  integration_id?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Accepted at or after this time.' })
  @IsOptional()
  @IsISO8601({ strict: true })
  accepted_after?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Accepted before this time.' })
  @IsOptional()
  @IsISO8601({ strict: true })
  accepted_before?: string;
}

export class ReplayBody {
  @ApiPropertyOptional({ enum: ['pinned', 'current'], default: 'pinned', description: 'The chain version of the run, or the newest.' })
  @IsOptional()
  @IsIn(['pinned', 'current'])
  version: 'pinned' | 'current' = 'pinned';

  @ApiPropertyOptional({ description: 'Start with this step (id or name); earlier ones take their recorded results.' })
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(200)
  from_step?: string;

  @ApiPropertyOptional({ default: false, description: 'Make new effect keys: everything is written again. Look at a dry run first.' })
  @IsOptional()
  @IsBoolean()
  new_effects: boolean = false;

  @ApiPropertyOptional({ default: false, description: 'Only say what would happen.' })
  @IsOptional()
  @IsBoolean()
  dry_run: boolean = false;
}

export class SettleBody {
  @ApiProperty({ enum: ['done', 'not_done'], description: 'Whether the effect exists at the provider.' })
  @IsIn(['done', 'not_done'])
  outcome: 'done' | 'not_done';

  @ApiPropertyOptional({ description: 'Its id at the provider; only with `done`.' })
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(1024)
  external_id?: string;
}
