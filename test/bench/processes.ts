/** What running programs have cost, read from /proc: processor time and memory. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc, fixed by the kernel's interface. */
const TICKS = 100;
const KIB = 1024;

/** The fields of /proc/PID/stat after the program's name; empty once the process has ended. */
function stat(pid: number): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** A process and all that it started, by parentage. */
export function familyOf(pid: number): readonly number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), Number(stat(Number(name))[1])] as const);
  const family = [pid];
  for (const member of family) {
    family.push(...parents.filter(([, parent]) => parent === member).map(([child]) => child));
  }
  return family;
}

/** Processor seconds that these processes have used up to now. */
export function cpuSeconds(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    const fields = stat(pid);
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  });
  return ticks.reduce((sum, value) => sum + value, 0) / TICKS;
}

/** Memory of a process in MiB: resident, and the part that is its alone. */
export function memoryMiB(pid: number): { readonly resident: number; readonly own: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name: string) => {
    const found = [...text.matchAll(new RegExp(`^${name}:\\s+(\\d+) kB`, 'gm'))];
    return found.reduce((sum, match) => sum + Number(match[1]), 0) / KIB;
  };
  return { resident: of('Rss'), own: of('Private_Clean') + of('Private_Dirty') };
}
