/**
 * A program for the LAN's own tests: hears one broadcast, or sends one.
 *
 * `listen PORT` prints `listening`, then the first datagram's text and ends.
 * `send PORT ADDRESS TEXT` broadcasts TEXT and ends.
 */
import { createSocket } from 'node:dgram';

const [task, port, address, text = ''] = process.argv.slice(2);
const socket = createSocket('udp4');

if (task === 'listen') {
  socket.once('message', (message) => {
    process.stdout.write(`${message.toString('utf8')}\n`);
    socket.close();
  });
  socket.bind(Number(port), () => process.stdout.write('listening\n'));
} else {
  socket.bind(() => {
    socket.setBroadcast(true);
    socket.send(text, Number(port), address, () => socket.close());
  });
}
