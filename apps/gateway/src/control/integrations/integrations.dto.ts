import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsObject, IsOptional, IsString, MaxLength, MinLength } from 'class-validator';

class IntegrationFields {
  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: "Values of the template's `settings` fields." })
  @IsOptional()
  @IsObject()
  settings?: Record<string, unknown>;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, writeOnly: true, description: "Values of the template's `credentials` fields. Sealed when stored and never returned; a value sent back masked stays as it is." })
  @IsOptional()
  @IsObject()
  credentials?: Record<string, unknown>;
}

export class NewIntegrationBody extends IntegrationFields {
  @ApiProperty({ example: 'salesforce' })
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  provider: string;

  @ApiProperty({ example: 'Salesforce, production' })
  @IsString()
  @MinLength(1)
  @MaxLength(200)
  name: string;
}

export class IntegrationBody extends IntegrationFields {
  @ApiPropertyOptional()
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(200)
  name?: string;
}
