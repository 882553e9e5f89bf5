/** `programs.run`: demands the right, bounds time and number, and hands over to `program`. */
import { CodedError } from '@peerage/sdk';
import { runProgram } from '../program.js';
import { badCall, busy, type Call, type CallTable, textOf, textsOf } from './call.js';

const TIMEOUT_MS = 60_000;
const TIMEOUT_MS_MAX = 60 * 60_000;
const STDIN_BYTES_MAX = 1024 * 1024;
/** Programs of one plugin at once: more would make the machine unusable. */
const RUNNING_MAX = 8;

export function programCalls(): CallTable {
  const running = new WeakMap<object, number>();
  return {
    'programs.run': async (call) => {
      const { caller, signal } = call;
      const program = caller.grant.program(textOf(call, 'name'));
      const values = textsOf(call, 'values');
      const options = optionsOf(call);
      const now = running.get(caller) ?? 0;
      if (now >= RUNNING_MAX) throw busy(`${now} programs of this plugin are running`);
      running.set(caller, now + 1);
      caller.grant.counters.add(`program-${program.name}`);
      try {
        const directories = [caller.dataDirectory, ...caller.grant.writePaths];
        return await runProgram({ program, values, directories, signal, ...options });
      } finally {
        running.set(caller, (running.get(caller) ?? 1) - 1);
      }
    },
  };
}

function optionsOf(call: Call): { stdin: string | Uint8Array | undefined; timeoutMs: number } {
  const options = call.argument['options'] ?? {};
  if (typeof options !== 'object' || options === null) throw badCall(call);
  const { stdin, timeoutMs = TIMEOUT_MS } = options as { stdin?: unknown; timeoutMs?: unknown };
  const isTimed = typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX;
  if (!isTimed) throw badCall(call);
  if (stdin === undefined) return { stdin, timeoutMs };
  if (typeof stdin !== 'string' && !(stdin instanceof Uint8Array)) throw badCall(call);
  if (stdin.length > STDIN_BYTES_MAX) {
    throw new CodedError('E_PROGRAM_VALUE', `${stdin.length} bytes of input are too many`, {
      expected: `at most ${STDIN_BYTES_MAX}`,
    });
  }
  return { stdin, timeoutMs };
}
