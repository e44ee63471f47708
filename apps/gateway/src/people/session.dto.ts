import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsEmail, IsOptional, IsString, IsUUID, Matches, MaxLength, MinLength } from 'class-validator';

export class SignInBody {
  @ApiProperty({ format: 'email' })
  @IsString()
  @MinLength(1)
  @MaxLength(320)
  email: string;

  @ApiProperty({ writeOnly: true })
  @IsString()
  @MinLength(1)
  @MaxLength(1024)
  password: string;
}

export class PasswordBody {
  @ApiProperty({ writeOnly: true })
  @IsString()
  @MinLength(1)
  @MaxLength(1024)
  current_password: string;

  @ApiProperty({ writeOnly: true, description: '12 to 200 characters.' })
  @IsString()
  @MinLength(1)
  @MaxLength(1024)
  new_password: string;
}

export class OrganisationChoice {
  @ApiProperty({ format: 'uuid' })
  @IsUUID()
  organisation_id: string;
}

class NewPerson {
  @ApiProperty({ description: 'The token as it was shown.', writeOnly: true })
  @IsString()
  @MinLength(1)
  @MaxLength(300)
  token: string;

  @ApiProperty()
  @IsString()
  @MinLength(1)
  @MaxLength(200)
  name: string;

  @ApiProperty({ writeOnly: true, description: '12 to 200 characters; of somebody who has an account already, the password of that account.' })
  @IsString()
  @MinLength(1)
  @MaxLength(1024)
  password: string;
}

export class AcceptBody extends NewPerson {}

export class SetupBody extends NewPerson {
  @ApiProperty({ format: 'email' })
  @IsEmail()
  @MaxLength(320)
  email: string;

  @ApiPropertyOptional({ description: 'Name of the organisation to make; or give organisation_id.' })
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(200)
  organisation?: string;

  @ApiPropertyOptional({ format: 'uuid', description: 'An organisation that is there already.' })
  @IsOptional()
  @IsUUID()
  organisation_id?: string;
}

export class OpenIdStartBody {
  @ApiPropertyOptional({ default: '/', description: 'Where to go on this site afterwards.' })
  @IsOptional()
  @Matches(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/, { message: 'return_to must be a path on this site' })
  @MaxLength(500)
  return_to: string = '/';

  @ApiPropertyOptional({ writeOnly: true, description: 'Token of an invitation to be accepted on the way.' })
  @IsOptional()
  @IsString()
  @MaxLength(300)
  invitation?: string;
}
