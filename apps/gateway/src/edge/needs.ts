import { SetMetadata } from '@nestjs/common';

export const scopes = ['publish', 'read', 'execute', 'admin'] as const;
export type Scope = (typeof scopes)[number];

export const needsKey = 'trunkline:needs';

/** The scope a key must have for this operation; `nobody` opens it to all (documents only). An operation without this line is closed to everybody. */
export const Needs = (scope: Scope | 'nobody'): MethodDecorator & ClassDecorator => SetMetadata(needsKey, scope);
