/**
 * Tells when a file was written anew. It looks at the directory: editors and `peerage plugins`
 * replace the file, and a watch of the file itself would go on looking at the old one.
 */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Editors write in several steps; the last of them counts. */
const SETTLE_MS = 300;

/** Watches until disposed of; `undefined` where the directory cannot be watched. */
export function watchFile(file: string, onChange: () => void): { dispose(): void } | undefined {
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher;
  try {
    watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name !== null && name !== basename(file)) return;
      clearTimeout(timer);
      timer = setTimeout(onChange, SETTLE_MS);
    });
  } catch {
    return undefined;
  }
  watcher.on('error', () => watcher.close());
  return {
    dispose: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}
