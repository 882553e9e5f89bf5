/** Sockets that a service manager keeps open: each is for one plugin, as far as it may listen. */
import assert from 'node:assert/strict';
import { socketsFor } from '@peerage/core/host/handed-socket.js';

const SOCKETS = [
  { plugin: 'url-cache', fd: 3, address: '127.0.0.1', port: 6516 },
  { plugin: 'other', fd: 4, address: '127.0.0.1', port: 7000 },
  { plugin: 'url-cache', fd: 5, address: '127.0.0.1', port: 6517 },
];

describe('a socket that is handed over', () => {
  it('is for the plugin that it is named after, and for no other with the same wish', () => {
    assert.deepEqual(socketsFor(SOCKETS, 'url-cache', ['any']).fds, [3, 5]);
    assert.deepEqual(socketsFor(SOCKETS, 'stranger', ['any', 6516]).fds, []);
  });

  it('is given only for a port that the plugin may listen on', () => {
    assert.deepEqual(socketsFor(SOCKETS, 'url-cache', [6517]).fds, [5]);
    assert.deepEqual(socketsFor(SOCKETS, 'url-cache', []).fds, []);
  });

  it('has in the plugin’s process the number after those that every process has', () => {
    const { handed } = socketsFor(SOCKETS, 'url-cache', ['any']);
    assert.deepEqual(
      handed.map(({ fd, port }) => [fd, port]),
      [
        [4, 6516],
        [5, 6517],
      ],
    );
  });
});
