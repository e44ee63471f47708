import { ApiProperty } from '@nestjs/swagger';
import { IsString, MaxLength, MinLength } from 'class-validator';

export class ConfirmationBody {
  @ApiProperty({ example: '7K3M-9QXA-2FHT', description: 'As the browser shows it after the sign-in at the provider.' })
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  code: string;
}
