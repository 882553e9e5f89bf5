/**
 * A listening socket that the service manager opened before the core started and keeps open while it
 * is restarted (systemd.socket(5)): the core passes it on to the plugin that may listen there, so
 * that clients wait for a moment instead of being refused. Both ends use this: the core to choose
 * what a plugin gets, the plugin's process to listen on it.
 *
 * Invariant: a socket is for the plugin that it is named after and for no other, if that one may
 * listen on its port and may have a network at all.
 */
import net from 'node:net';

export interface HandedSocket {
  /** The id of the plugin that it is for (FileDescriptorName= of the unit). */
  readonly plugin: string;
  /** Its number in this process. */
  readonly fd: number;
  readonly address: string;
  readonly port: number;
}

/** Descriptors that every plugin's process has anyway: input, output, errors, and the channel. */
const FIRST_FD = 4;

/** What of these a plugin gets, with the numbers that they have in its process. */
export function socketsFor(
  sockets: readonly HandedSocket[],
  id: string,
  listen: readonly (number | 'any')[],
): { readonly fds: readonly number[]; readonly handed: readonly HandedSocket[] } {
  const own = sockets.filter(({ plugin, port }) => {
    return plugin === id && (listen.includes('any') || listen.includes(port));
  });
  return {
    fds: own.map(({ fd }) => fd),
    handed: own.map((socket, index) => ({ ...socket, fd: FIRST_FD + index })),
  };
}

type Listen = (this: net.Server, ...args: unknown[]) => net.Server;

/** From now on whoever listens on such an address and port in this process gets that socket. */
export function listenOnHanded(sockets: readonly HandedSocket[]): void {
  if (sockets.length === 0) return;
  const original = net.Server.prototype.listen as Listen;
  const listen: Listen = function (this: net.Server, ...args) {
    const { host, port } = placeOf(args);
    const found = sockets.find((socket) => socket.port === port && socket.address === host);
    if (found === undefined) return original.apply(this, args);
    const done = args.find((argument) => typeof argument === 'function');
    return original.call(this, { fd: found.fd }, ...(done === undefined ? [] : [done]));
  };
  net.Server.prototype.listen = listen as typeof net.Server.prototype.listen;
}

/** Address and port of `listen(port, host)` and `listen({ port, host })`. */
function placeOf([first, second]: readonly unknown[]): { host?: unknown; port?: number } {
  if (typeof first === 'object' && first !== null) {
    const { host, port } = first as { host?: unknown; port?: unknown };
    return { host, port: Number(port) };
  }
  return { host: second, port: Number(first) };
}
