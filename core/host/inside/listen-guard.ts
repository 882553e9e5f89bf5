/**
 * Ports that a plugin was not granted cannot be listened on by mistake: Node's own ways to listen
 * refuse them with a readable error. It is no boundary: whoever looks for a way past it finds one;
 * a plugin without `network` has none.
 */
import dgram from 'node:dgram';
import net from 'node:net';
import { CodedError } from '@peerage/sdk';

type Ports = readonly (number | 'any')[];
type Method = (this: unknown, ...args: unknown[]) => unknown;

/** From now on this process listens on these ports alone. */
export function guardListening(granted: Ports): void {
  if (granted.includes('any')) return;
  guard(net.Server.prototype, 'listen', granted);
  guard(dgram.Socket.prototype, 'bind', granted);
}

function guard(prototype: object, name: string, granted: Ports): void {
  const original = Reflect.get(prototype, name) as Method;
  const guarded: Method = function (this: unknown, ...args) {
    const port = portOf(args[0]);
    if (port !== undefined && !granted.includes(port)) {
      throw new CodedError('E_LISTEN_NOT_GRANTED', `this plugin may not listen on port ${port}`, {
        expected: granted.length === 0 ? 'no port at all' : `one of ${granted.join(', ')}`,
        action: 'name it in permissions.listen of the manifest, and in the grant',
      });
    }
    return original.apply(this, args);
  };
  Reflect.set(prototype, name, guarded);
}

/** The port of the first argument of `listen` or `bind`; `undefined` for a socket file. */
function portOf(first: unknown): number | undefined {
  if (typeof first === 'number') return first;
  if (typeof first === 'string') return /^\d+$/.test(first) ? Number(first) : undefined;
  if (typeof first !== 'object' || first === null) return 0;
  const { port, path, fd } = first as { port?: unknown; path?: unknown; fd?: unknown };
  if (port !== undefined) return Number(port);
  return path === undefined && fd === undefined ? 0 : undefined;
}
