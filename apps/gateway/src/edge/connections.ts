import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Lets a closing server end: what is being answered is answered, every other connection is cut. Node itself waits for connections that never sent a request. */
export class Connections {
  private readonly answering = new Map<Socket, number>();
  private isClosing = false;

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.answering.set(socket, 0);
      socket.once('close', () => this.answering.delete(socket));
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.count(request.socket, 1);
      response.once('close', () => this.count(request.socket, -1));
    });
  }

  /** What is still being answered after `graceMs` is cut too. */
  end(graceMs: number): void {
    this.isClosing = true;
    for (const [socket, requests] of this.answering) if (requests === 0) socket.destroy();
    setTimeout(() => {
      for (const socket of this.answering.keys()) socket.destroy();
    }, graceMs).unref();
  }

  private count(socket: Socket, change: number): void {
    const requests = (this.answering.get(socket) ?? 0) + change;
    if (this.answering.has(socket)) this.answering.set(socket, requests);
    if (this.isClosing && requests === 0) socket.end(() => socket.destroy());
  }
}
