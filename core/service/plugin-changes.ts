/**
 * What the control socket changes about plugins: reload plugins.json, start one anew, run a command
 * that one adds. The parameters stand in the query; arguments are a JSON list.
 */
import { CodedError } from '@peerage/sdk';
import type { PluginHost } from '../ports/ports.js';

/** Arguments of one command: what fits a command line that a person writes. */
const ARGUMENTS_MAX = 256;

type Change = (query: URLSearchParams) => Promise<unknown>;

export function pluginChanges(host: PluginHost): Readonly<Record<string, Change>> {
  return {
    '/plugins/reload': () => host.reload(),
    '/plugins/restart': async (query) => {
      await host.restart(query.get('plugin') ?? '');
      return { restarted: query.get('plugin') };
    },
    '/plugins/run': (query) => {
      const args = readArguments(query.get('args') ?? '[]');
      const isJson = query.get('json') === '1';
      return host.run(query.get('plugin') ?? '', query.get('name') ?? '', args, isJson);
    },
  };
}

function readArguments(text: string): string[] {
  try {
    const list: unknown = JSON.parse(text);
    const isList = Array.isArray(list) && list.length <= ARGUMENTS_MAX;
    if (isList && list.every((argument) => typeof argument === 'string')) return list as string[];
  } catch {
    // Falls through to the one error for all bad lists.
  }
  throw new CodedError('E_CALL_UNKNOWN', 'the arguments are no list of texts', {
    expected: `a JSON list of at most ${ARGUMENTS_MAX} texts`,
  });
}
