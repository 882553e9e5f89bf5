/** The commands of the plugin: `peerage antivirus status|check|pin|unpin|recall`. */
import {
  CodedError,
  type CommandHandler,
  type CommandService,
  type Disposable,
} from '@peerage/sdk';
import { demandName, type UpdateAgent } from '@peerage/update-agent';
import type { RuleBook } from './rules.js';
import { printedStatus, type StatusReport } from './status.js';

export interface CommandPorts {
  readonly commands: CommandService;
  readonly agents: readonly UpdateAgent[];
  readonly rules: RuleBook;
  /** Those of ClamAV that this node is to have. */
  readonly databases: readonly string[];
  readonly status: () => StatusReport;
}

export function addCommands(ports: CommandPorts): Promise<Disposable[]> {
  const { commands, rules } = ports;
  const handlers: Record<string, CommandHandler> = {
    status: async () => {
      const json = ports.status();
      return { text: printedStatus(json), json };
    },
    check: async () => checked(ports, 'command'),
    pin: async ([component, version]) => {
      await rules.pin(known(ports, component), named(version));
      return checked(ports, `pin of ${component}`);
    },
    unpin: async ([component]) => {
      await rules.pin(named(component), undefined);
      return checked(ports, `end of the pin of ${component}`);
    },
    recall: async ([component, version, word, backTo]) => {
      if (word === '--end' && backTo === undefined) {
        await rules.endRecall(named(component), named(version));
        return checked(ports, `end of the recall of ${component} ${version}`);
      }
      if (word !== '--back') throw usage('recall COMPONENT VERSION --back VERSION | --end');
      const recall = { component: known(ports, component), version: named(version) };
      await rules.recall({ ...recall, backTo: named(backTo) });
      return checked(ports, `recall of ${component} ${version}`);
    },
  };
  return Promise.all(
    Object.entries(handlers).map(([name, handler]) => commands.onCommand(name, handler)),
  );
}

/** Checks at once, so that a command shows what came of it. */
async function checked({ agents, status }: CommandPorts, reason: string) {
  const reports = await Promise.all(agents.map((agent) => agent.check(reason)));
  const isFailed = reports.some(({ outcome }) => outcome === 'failed');
  const json = { reports, ...status() };
  return { text: printedStatus(json), json, exitCode: isFailed ? 1 : 0 };
}

function named(text: string | undefined): string {
  if (text === undefined) throw usage('pin COMPONENT VERSION, unpin COMPONENT');
  return demandName('name', text);
}

/** A component that this node or one of the others has; while nobody has any, each name will do. */
function known({ status, databases }: CommandPorts, text: string | undefined): string {
  const component = named(text);
  const { components, lan } = status();
  const here = [...databases, ...components.map((one) => one.component)];
  const isThere = here.length === 0 || here.includes(component);
  if (isThere || lan.some((one) => one.component === component)) return component;
  throw new CodedError('E_USAGE', `there is no component ${component}`, {
    expected: `one of ${[...new Set(here)].sort().join(', ')}`,
  });
}

function usage(what: string): CodedError {
  return new CodedError('E_USAGE', 'the command lacks something', {
    expected: `peerage antivirus ${what}`,
  });
}
