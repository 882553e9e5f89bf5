/**
 * Undoing what the lab did to the machine when its own process ends, whichever way it ends.
 *
 * Ordinary ends dispose of things themselves and withdraw their undo. What is still registered at
 * exit, on an uncaught exception or on a signal is undone here, last first. Undos are synchronous:
 * at exit nothing else runs any more. SIGKILL cannot be caught: see the sweep in workspace.ts.
 */
import { constants } from 'node:os';
import { type Disposable, describeError } from '@peerage/sdk';

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const undos = new Set<() => void>();
let installed = false;

/** Runs `undo` when this process ends, unless the returned registration is disposed of before. */
export function onExit(undo: () => void): Disposable {
  install();
  undos.add(undo);
  return { dispose: () => void undos.delete(undo) };
}

function install(): void {
  if (installed) return;
  installed = true;
  process.once('exit', undoAll);
  for (const signal of ENDING_SIGNALS) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}

function undoAll(): void {
  for (const undo of [...undos].reverse()) {
    undos.delete(undo);
    try {
      undo();
    } catch (error) {
      process.stderr.write(`lab: left behind: ${describeError(error)}\n`);
    }
  }
}
