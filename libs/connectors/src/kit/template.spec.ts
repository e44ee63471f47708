import { read, render, renderText, TemplateGap } from './template.js';

const scope = { input: { name: 'Ann', count: 2, list: [{ id: 'a' }], empty: null }, settings: { field: 'Userfield1Alpha', type: 'GEN' } };

it('puts whole values where a text is one placeholder, and texts elsewhere', () => {
  expect(render({ count: '{input.count}', text: 'n={input.count}', first: '{input.list[0].id}' }, scope)).toEqual({ count: 2, text: 'n=2', first: 'a' });
});

it('leaves out optional fields without a value, and objects of which nothing is left', () => {
  expect(render({ name: '{input.name}', phone: { e164: '{input.phone?}' }, note: '{input.empty?}' }, scope)).toEqual({ name: 'Ann' });
});

it('takes the first of several paths that has a value', () => {
  expect(render({ type: '{input.type|settings.type}' }, scope)).toEqual({ type: 'GEN' });
});

it('names fields by settings', () => {
  expect(render({ '{settings.field}': 'x' }, scope)).toEqual({ Userfield1Alpha: 'x' });
});

it('names what has no value', () => {
  expect(() => render({ a: '{input.missing}' }, scope)).toThrow(new TemplateGap('input.missing'));
});

it('encodes what goes into a path', () => {
  expect(renderText('/contacts/{input.name}', { input: { name: '../admin?x=1' } }, encodeURIComponent)).toBe('/contacts/..%2Fadmin%3Fx%3D1');
});

it('reads own properties only', () => {
  expect(read({}, 'constructor.name')).toBeUndefined();
  expect(read(JSON.parse('{"__proto__": {"polluted": 1}}'), 'polluted')).toBeUndefined();
});
