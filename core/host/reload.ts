/**
 * From the plugins that run to those of a new plugins.json, all or nothing:
 *
 *   read and judge all ─► start the new ─► swap the changed ─► stop the gone
 *          └── wrong: nothing was touched     └── one fails: everything back as it was
 *
 * Invariants: an unchanged plugin's process is not touched; a changed one runs beside its successor
 * until that is active, except where both want the same port: then the old one is stopped first,
 * and started again if the new one fails.
 */
import type { ReloadReport } from '../ports/ports.js';
import type { Hosted } from './hosted.js';
import type { PluginPackage } from './manifest.js';

/** What is to be done, by comparing what runs with what is to run. */
export interface Plan {
  readonly started: readonly PluginPackage[];
  readonly changed: ReadonlyArray<{ readonly old: Hosted; readonly next: PluginPackage }>;
  readonly stopped: readonly Hosted[];
  readonly unchanged: readonly Hosted[];
}

export function plan(running: readonly Hosted[], wanted: readonly PluginPackage[]): Plan {
  const byId = new Map(running.map((hosted) => [hosted.id, hosted]));
  const ids = new Set(wanted.map(({ manifest }) => manifest.id));
  const started: PluginPackage[] = [];
  const changed: Array<{ old: Hosted; next: PluginPackage }> = [];
  const unchanged: Hosted[] = [];
  for (const next of wanted) {
    const old = byId.get(next.manifest.id);
    if (old === undefined) started.push(next);
    else if (fingerprint(old.plugin) === fingerprint(next)) unchanged.push(old);
    else changed.push({ old, next });
  }
  return { started, changed, unchanged, stopped: running.filter(({ id }) => !ids.has(id)) };
}

/** Everything that its process depends on. */
function fingerprint({ manifest, version, main, settings, entry, changedAtMs }: PluginPackage) {
  return JSON.stringify([manifest, version, main, settings, entry.grant, changedAtMs]);
}

/** What runs after a plan was tried, and why not what was wanted. */
export interface Outcome {
  readonly running: readonly Hosted[];
  readonly error?: unknown;
}

/** Carries a plan out; where a plugin does not start, everything is as it was before. */
export async function carryOut(
  { started, changed, stopped, unchanged }: Plan,
  host: (plugin: PluginPackage) => Hosted,
): Promise<Outcome> {
  const fresh: Hosted[] = [];
  const ended: Hosted[] = [];
  const beside: Hosted[] = [];
  const bring = async (plugin: PluginPackage) => {
    const hosted = host(plugin);
    fresh.push(hosted);
    if (hosted.startsWithCore) await hosted.start();
    hosted.join();
  };
  try {
    for (const plugin of started) await bring(plugin);
    for (const { old, next } of changed) {
      const inTheWay = listens(old.plugin) || listens(next);
      (inTheWay ? ended : beside).push(old);
      if (inTheWay) await old.stop();
      await bring(next);
    }
  } catch (error) {
    await stopAll(fresh);
    const again = ended.map(({ plugin }) => host(plugin));
    await Promise.all(again.map((hosted) => hosted.begin()));
    const untouched = changed.map(({ old }) => old).filter((old) => !ended.includes(old));
    return { running: [...unchanged, ...stopped, ...untouched, ...again], error };
  }
  await stopAll([...stopped, ...beside]);
  return { running: [...unchanged, ...fresh] };
}

async function stopAll(all: readonly Hosted[]): Promise<void> {
  await Promise.all(all.map((hosted) => hosted.stop()));
}

/** Whether it may hold a port, which no successor can take while it runs. */
function listens({ manifest }: PluginPackage): boolean {
  return (manifest.permissions?.listen ?? []).length > 0;
}

/** The plan by name, for the log and the command. */
export function report({ started, changed, stopped, unchanged }: Plan): ReloadReport {
  return {
    started: started.map(({ manifest }) => manifest.id),
    changed: changed.map(({ old }) => old.id),
    stopped: stopped.map(({ id }) => id),
    unchanged: unchanged.map(({ id }) => id),
  };
}
