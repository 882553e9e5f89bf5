/**
 * `node traffic.js send --from A,B --to C --port P` sends small UDP packets from each address in
 * turn, as fast as it is let, until it is told to end, and then says how many of each.
 * `node traffic.js count --address C --port P` counts what arrives, by sender, and says so at the
 * end. Both begin with a line "ready" and end at SIGTERM.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setImmediate as aTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** Packets in one go of each sender: the process must stay able to hear that it shall end. */
const BURST = 16;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string', default: '' },
    to: { type: 'string', default: '' },
    address: { type: 'string', default: '' },
    port: { type: 'string', default: '0' },
  },
});
const port = Number(values.port);
const counts: Record<string, number> = {};
let ending = false;

process.on('SIGTERM', () => {
  ending = true;
  if (positionals[0] === 'count') end();
});

function end(): void {
  process.stdout.write(`${JSON.stringify({ event: 'counts', counts })}\n`, () => process.exit(0));
}

async function bound(address: string, own: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(own, address);
  await once(socket, 'listening');
  return socket;
}

async function send(): Promise<void> {
  const sockets = new Map<string, Socket>();
  for (const address of values.from.split(',')) sockets.set(address, await bound(address, 0));
  process.stdout.write('ready\n');
  while (!ending) {
    for (const [address, socket] of sockets) {
      await Promise.all(Array.from({ length: BURST }, () => sent(socket, address)));
    }
    // Sends are done before their callbacks come, so without a turn no signal would be heard.
    await aTurn();
  }
  end();
}

function sent(socket: Socket, address: string): Promise<void> {
  return new Promise((resolve) => {
    socket.send('x', port, values.to, (error) => {
      if (!error) counts[address] = (counts[address] ?? 0) + 1;
      resolve();
    });
  });
}

async function count(): Promise<void> {
  const socket = await bound(values.address, port);
  socket.on('message', (_, { address }) => {
    counts[address] = (counts[address] ?? 0) + 1;
  });
  process.stdout.write('ready\n');
}

await (positionals[0] === 'send' ? send() : count());
