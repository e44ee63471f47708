import platformClient from 'purecloud-platform-client-v2';
import { genesys } from './genesys.js';
import { Router } from '../kit/router.js';

type Operation = readonly [method: string, path: string];

/** Every operation of the vendor's own client, learnt by calling each with a stand-in for its transport. */
function operationsOf(api: new (transport: never) => object): readonly Operation[] {
  const seen: Operation[] = [];
  const transport = { callApi: (path: string, method: string) => seen.push([method, path]), buildCollectionParam: () => undefined, returnExtended: false };
  const instance = new api(transport as never) as Readonly<Record<string, unknown>>;
  for (const name of Object.getOwnPropertyNames(api.prototype)) {
    const operation = instance[name];
    if (name !== 'constructor' && typeof operation === 'function') operation.call(instance, 'a', 'b', 'c', 'd');
  }
  return seen;
}

const onContactsAndNotes = /^\/api\/v2\/externalcontacts\/(contacts|notes|bulk\/(contacts|notes)|scan\/(contacts|notes)|identifierlookup$|identifierlookup\/contacts|merge\/contacts|reversewhitepageslookup)/;

it('serves every operation the official client has on contacts and their notes', () => {
  const router = new Router<string>();
  for (const route of genesys.routes) router.add(route.method, route.path, route.path);
  const wanted = operationsOf(platformClient.ExternalContactsApi as never).filter(([, path]) => onContactsAndNotes.test(path));
  const missing = wanted.filter(([method, path]) => {
    const found = router.find(method, path);
    // A path of its own must not fall through to `{contactId}` of another route.
    return found.kind !== 'route' || found.target.split('/').some((segment, index) => segment.startsWith('{') !== (path.split('/')[index] ?? '').startsWith('{'));
  });
  expect(wanted.length).toBeGreaterThan(50);
  expect(missing).toEqual([]);
});
