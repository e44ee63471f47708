import { ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { RequestInvalid } from '../edge/errors.js';

/** Control-plane bodies and queries against their DTO: a field it does not name is refused (S7), so nothing the server owns can be sent. */
export const bodyCheck = new ValidationPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  exceptionFactory: (errors) => RequestInvalid.because(errors.flatMap((error) => reasons(error, '')).slice(0, 10).join('; ')),
});

function reasons(error: ValidationError, path: string): string[] {
  const here = path === '' ? error.property : `${path}.${error.property}`;
  // Decorators register from the bottom up: the last constraint is the first that a reader of the DTO sees, its type.
  const own = Object.entries(error.constraints ?? {}).slice(-1).map(([rule, text]) => (rule === 'whitelistValidation' ? `${here} may not be sent` : `${path === '' ? '' : `${path}: `}${text}`));
  return [...own, ...(error.children ?? []).flatMap((child) => reasons(child, here))];
}
