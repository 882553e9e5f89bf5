/**
 * Datagrams in and out of one interface: bytes, no meaning. Two sockets (PROTOCOL §1.2): one on
 * the own address, for directed packets and for sending; one on the broadcast address, shared by
 * all nodes of this machine. Invariant: a full or failing socket drops packets, it never throws.
 */
import { createSocket, type Socket } from 'node:dgram';
import { CodedError } from '@peerage/sdk';
import type { LanInterface } from './interfaces.js';

/** Bursts of broadcasts must survive a busy moment of the event loop. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export type DatagramHandler = (bytes: Buffer, sourceAddress: string) => void;

export class PacketSocket {
  readonly lan: LanInterface;
  private readonly port: number;
  private readonly own: Socket;
  private readonly shared: Socket;
  /** Packets that the system did not take. */
  dropped = 0;
  /** Packets handed over that the system has not answered for yet. */
  private underWay = 0;
  private onAllSent: (() => void) | undefined;

  private constructor(lan: LanInterface, port: number) {
    this.lan = lan;
    this.port = port;
    this.own = createSocket({ type: 'udp4' });
    this.shared = createSocket({ type: 'udp4', reuseAddr: true });
  }

  /** Binds both sockets. @throws CodedError `E_PORT_TAKEN` */
  static async open(
    lan: LanInterface,
    port: number,
    handle: DatagramHandler,
  ): Promise<PacketSocket> {
    const opened = new PacketSocket(lan, port);
    try {
      await bind(opened.own, lan.address, port);
      await bind(opened.shared, lan.broadcast, port);
      opened.own.setBroadcast(true);
    } catch (cause) {
      await opened.close();
      throw new CodedError('E_PORT_TAKEN', `cannot use UDP ${lan.address}:${port} for packets`, {
        expected: 'a free port and an address of this machine',
        action: 'stop what uses it, or set core.packetPort or core.address',
        cause,
      });
    }
    for (const socket of [opened.own, opened.shared]) {
      socket.on('message', (bytes, { address }) => handle(bytes, address));
      socket.on('error', () => {
        opened.dropped += 1;
      });
    }
    return opened;
  }

  broadcast(bytes: Buffer): void {
    this.send(bytes, this.lan.broadcast);
  }

  send(bytes: Buffer, address: string): void {
    this.underWay += 1;
    this.own.send(bytes, this.port, address, (error) => {
      if (error !== null) this.dropped += 1;
      this.underWay -= 1;
      if (this.underWay === 0) this.onAllSent?.();
    });
  }

  /** Closes when what was sent has left: the last packet says bye. */
  async close(): Promise<void> {
    if (this.underWay > 0) {
      await new Promise<void>((resolve) => {
        this.onAllSent = resolve;
      });
    }
    for (const socket of [this.own, this.shared]) {
      await new Promise<void>((resolve) => {
        socket.once('close', resolve);
        try {
          socket.close();
        } catch {
          resolve();
        }
      });
    }
  }
}

function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.removeListener('error', reject);
      try {
        socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      } catch {
        // The system caps it; a smaller buffer only drops earlier.
      }
      resolve();
    });
  });
}
