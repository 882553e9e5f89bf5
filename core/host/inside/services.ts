/** The smaller services in the plugin's process: each only carries its calls over the line. */
import {
  type CommandHandler,
  type CommandResult,
  CommandService,
  type Disposable,
  ElectionService,
  type ElectionState,
  type NodeStatus,
  type ProgramOptions,
  type ProgramResult,
  ProgramService,
  type Provider,
  type StatusRow,
  StatusService,
  type StatusView,
} from '@peerage/sdk';
import { toWireError } from '../channel.js';
import type { Line } from './line.js';

export class RemoteElection extends ElectionService {
  private readonly line: Line;

  constructor(line: Line) {
    super();
    this.line = line;
  }

  override async provider(): Promise<Provider | undefined> {
    return (await this.state()).provider;
  }

  override state(): Promise<ElectionState> {
    return this.line.call('election.state', undefined) as Promise<ElectionState>;
  }

  override onChange(listener: (state: ElectionState) => void): Promise<Disposable> {
    return this.line.subscribe('election.onChange', undefined, (value) =>
      listener(value as ElectionState),
    );
  }

  override async resign(): Promise<void> {
    await this.line.call('election.resign', undefined);
  }
}

export class RemoteStatus extends StatusService {
  private readonly line: Line;

  constructor(line: Line) {
    super();
    this.line = line;
  }

  override status(): Promise<NodeStatus> {
    return this.line.call('status.status', undefined) as Promise<NodeStatus>;
  }

  override peers(): Promise<readonly StatusRow[]> {
    return this.line.call('status.peers', undefined) as Promise<readonly StatusRow[]>;
  }

  override downloads(): Promise<readonly StatusRow[]> {
    return this.line.call('status.downloads', undefined) as Promise<readonly StatusRow[]>;
  }

  override look(view: StatusView, url?: string): Promise<readonly StatusRow[]> {
    return this.line.call('status.look', { view, url }) as Promise<readonly StatusRow[]>;
  }
}

export class RemotePrograms extends ProgramService {
  private readonly line: Line;

  constructor(line: Line) {
    super();
    this.line = line;
  }

  override run(
    name: string,
    values: Readonly<Record<string, string>>,
    options: ProgramOptions = {},
  ): Promise<ProgramResult> {
    return this.line.call('programs.run', { name, values, options }) as Promise<ProgramResult>;
  }
}

/** A command that the core hands to the plugin; answered by `commands.answer`. */
interface CommandRun {
  readonly run: number;
  readonly args: readonly string[];
  readonly json: boolean;
}

export class RemoteCommands extends CommandService {
  private readonly line: Line;

  constructor(line: Line) {
    super();
    this.line = line;
  }

  override onCommand(name: string, handler: CommandHandler): Promise<Disposable> {
    return this.line.subscribe('commands.onCommand', { name }, (value) => {
      void this.answer(value as CommandRun, handler);
    });
  }

  private async answer({ run, args, json }: CommandRun, handler: CommandHandler): Promise<void> {
    const answer = await Promise.resolve()
      .then(() => handler(args, { json }))
      .then(
        (result: CommandResult) => ({ run, result }),
        (error: unknown) => ({ run, error: toWireError(error) }),
      );
    // A caller that has left in the meantime is no fault of the plugin's.
    await this.line.call('commands.answer', answer).catch(() => undefined);
  }
}
