import { get, ask } from './call.js';
import { buildRequest } from './request.js';
import { TemplateGap } from './template.js';

const base = new URL('https://api.example.com/v2/');

it('puts values into path and query so that they stay values', () => {
  const { url } = buildRequest(base, get('/contacts/{id}/notes', { query: { q: 'ref = "{id}"' } }), { id: 'a/b?c#d & "e"' });
  expect(url.origin + url.pathname).toBe('https://api.example.com/v2/contacts/a%2Fb%3Fc%23d%20%26%20%22e%22/notes');
  expect(url.searchParams.get('q')).toBe('ref = "a/b?c#d & "e""');
});

it.each(['.', '..', ''])('refuses %p as a part of a path', (id) => {
  expect(() => buildRequest(base, get('/contacts/{id}/notes'), { id })).toThrow(TemplateGap);
});

it('cannot be given another host by a value', () => {
  expect(buildRequest(base, get('/{id}'), { id: '//evil.example/' }).url.host).toBe('api.example.com');
});

it('lets no header value start a header of its own', () => {
  expect(buildRequest(base, get('/', { headers: { 'x-a': '{v}' } }), { v: 'one\r\nx-b: two' }).headers['x-a']).toBe('one  x-b: two');
});

it('sends a body as JSON', () => {
  const { body, headers } = buildRequest(base, ask('/', { body: { a: '{v}' } }), { v: 1 });
  expect(body?.toString()).toBe('{"a":1}');
  expect(headers['content-type']).toBe('application/json');
});
