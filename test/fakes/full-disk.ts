/** A file on a disk that becomes full: a real file whose writes fail from some byte on. */
import { type FileHandle, open } from 'node:fs/promises';

export interface FullDiskFile {
  readonly handle: FileHandle;
  /** Whether it was closed. */
  closed(): boolean;
}

/** Takes `roomBytes`, the last write only in part, and then nothing any more. */
export async function openOnFullDisk(path: string, roomBytes: number): Promise<FullDiskFile> {
  const file = await open(path, 'wx+');
  let room = roomBytes;
  let closed = false;
  const write = async (chunk: Buffer, offset: number, length: number, position: number) => {
    if (room === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const part = Math.min(room, length);
    room -= part;
    return file.write(chunk, offset, part, position);
  };
  const handle = new Proxy(file, {
    get(target, name) {
      if (name === 'write') return write;
      if (name === 'close') {
        return () => {
          closed = true;
          return target.close();
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { handle, closed: () => closed };
}
