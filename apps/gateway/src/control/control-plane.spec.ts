import { ControlPlane } from './control-plane.js';

describe('what the control plane announces', () => {
  it('is a hint: a log that does not take it is noted, and the change, which is committed, stays done', async () => {
    const away = new Error('the log is away');
    const noted: unknown[] = [];
    const plane = new ControlPlane('postgres://localhost/none', { append: () => Promise.reject(away) }, (error) => noted.push(error));
    await plane.announce({ organisationId: '0a4b0c0d-0000-4000-8000-000000000001', kind: 'integration', id: '0a4b0c0d-0000-4000-8000-000000000002' });
    expect(noted).toEqual([away]);
    await plane.close();
  });
});
