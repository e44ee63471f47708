import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Role, roles } from '@trunkline/identity';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsEmail, IsIn, IsInt, IsISO8601, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';

export class InvitationBody {
  @ApiProperty({ format: 'email' })
  @IsEmail()
  @MaxLength(320)
  email: string;

  @ApiProperty({ enum: roles })
  @IsIn(roles)
  role: Role;
}

export class RoleBody {
  @ApiProperty({ enum: roles })
  @IsIn(roles)
  role: Role;
}

export class NewKeyBody {
  @ApiProperty({ example: 'website' })
  @IsString()
  @MinLength(1)
  @MaxLength(200)
  name: string;

  @ApiProperty({ type: [String], example: ['publish', 'runs:read'], description: 'Names of permissions, or publish, read, execute, admin for several at once. At most what you may do yourself.' })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(50)
  @IsString({ each: true })
  @MaxLength(100, { each: true })
  scopes: string[];

  @ApiPropertyOptional({ format: 'date-time', description: 'From then on it is not accepted.' })
  @IsOptional()
  @IsISO8601({ strict: true })
  expires_at?: string;
}

export class RotationBody {
  @ApiPropertyOptional({ minimum: 0, maximum: 2_592_000, default: 86_400, description: 'How long the old key goes on.' })
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(2_592_000)
  overlap_seconds: number = 86_400;
}
