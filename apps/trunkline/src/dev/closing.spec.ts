import { Closing } from './closing.js';

describe('what was started', () => {
  it('is stopped in the opposite order, once', async () => {
    const closing = new Closing();
    const stopped: string[] = [];
    for (const name of ['database', 'platform']) closing.add(name, () => void stopped.push(name));
    await Promise.all([closing.close(), closing.close()]);
    expect(stopped).toEqual(['platform', 'database']);
  });

  it('is stopped too when it was still starting', async () => {
    const closing = new Closing();
    const stopped: string[] = [];
    let isUp = (): void => undefined;
    const starting = closing.starting(async () => {
      await new Promise<void>((resolve) => (isUp = resolve));
      closing.add('database', () => void stopped.push('database'));
    });
    const closed = closing.close();
    isUp();
    await Promise.all([starting, closed]);
    expect(stopped).toEqual(['database']);
  });

  it('is not waited for when it did not start', async () => {
    const closing = new Closing();
    const starting = closing.starting(() => Promise.reject(new Error('no disk')));
    await Promise.all([closing.close(), expect(starting).rejects.toThrow('no disk')]);
  });

  it('is not started any more once all of it is being stopped', async () => {
    const closing = new Closing();
    void closing.close();
    const start = jest.fn(() => Promise.resolve());
    await expect(closing.starting(start)).rejects.toThrow('stopped while it was starting');
    expect(start).not.toHaveBeenCalled();
  });
});
