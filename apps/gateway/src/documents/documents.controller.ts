import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Controller, Get, Inject, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { NotFound } from '../edge/errors.js';
import { Needs } from '../edge/needs.js';
import { OpenApi } from './open-api.js';

/** The files of the installed swagger-ui-dist that the page needs; nothing is fetched from another host. */
const assets: Readonly<Record<string, string>> = { 'swagger-ui.css': 'text/css; charset=utf-8', 'swagger-ui-bundle.js': 'text/javascript; charset=utf-8', 'favicon-32x32.png': 'image/png' };

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Trunkline API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css"><link rel="icon" href="/api/docs/favicon-32x32.png"></head>
<body><div id="page"></div><script src="/api/docs/swagger-ui-bundle.js"></script><script src="/api/docs/page.js"></script></body>
</html>
`;
const script = "window.ui = SwaggerUIBundle({ url: '/api/openapi.json', dom_id: '#page', deepLinking: true, validatorUrl: null });\n";
/** swagger-ui writes style attributes and draws icons from data: addresses; scripts and connections stay with this host. */
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

@ApiExcludeController()
@Controller('api')
@Needs('nobody')
export class DocumentsController {
  constructor(@Inject(OpenApi) private readonly openApi: OpenApi) {}

  @Get('openapi.json')
  async document(@Res() reply: FastifyReply): Promise<void> {
    await reply.type('application/json; charset=utf-8').send(JSON.stringify(this.openApi.document()));
  }

  @Get('docs')
  async page(@Res() reply: FastifyReply): Promise<void> {
    await reply.type('text/html; charset=utf-8').header('content-security-policy', pagePolicy).send(page);
  }

  @Get('docs/:asset')
  async asset(@Param('asset') asset: string, @Res() reply: FastifyReply): Promise<void> {
    if (asset === 'page.js') return reply.type('text/javascript; charset=utf-8').send(script);
    const type = Object.hasOwn(assets, asset) ? assets[asset] : undefined;
    if (type === undefined) throw NotFound.because('there is no such file');
    await reply.type(type).header('cache-control', 'public, max-age=3600').send(createReadStream(join(assetFolder(), asset)));
  }
}

function assetFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
}
