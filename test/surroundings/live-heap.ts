import { until } from '../support/until.js';

interface Reply {
  readonly id?: number;
  readonly result?: { readonly usedSize?: number };
}

/** Asks a Node process what of its heap is in use after a full collection: between collections a heap rises and falls by far more than a leak adds. */
export class LiveHeap {
  private asked = 0;

  private constructor(private readonly socket: WebSocket) {}

  /** A Node process opens its inspector on SIGUSR1 and says where; `said` is what it has printed so far. */
  static async of(pid: number, said: () => string): Promise<LiveHeap> {
    process.kill(pid, 'SIGUSR1');
    const address = await until('the inspector', () => /Debugger listening on (ws:\S+)/.exec(said())?.[1]);
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', reject, { once: true });
    });
    return new LiveHeap(socket);
  }

  async usedMiB(): Promise<number> {
    await this.ask('HeapProfiler.collectGarbage');
    const { usedSize } = await this.ask('Runtime.getHeapUsage');
    if (usedSize === undefined) throw new Error('the inspector does not tell the heap');
    return usedSize / 1024 / 1024;
  }

  close(): void {
    this.socket.close();
  }

  private ask(method: string): Promise<NonNullable<Reply['result']>> {
    const id = (this.asked += 1);
    return new Promise((resolve) => {
      const listen = ({ data }: MessageEvent): void => {
        const reply = JSON.parse(String(data)) as Reply;
        if (reply.id !== id) return;
        this.socket.removeEventListener('message', listen);
        resolve(reply.result ?? {});
      };
      this.socket.addEventListener('message', listen);
      this.socket.send(JSON.stringify({ id, method }));
    });
  }
}
