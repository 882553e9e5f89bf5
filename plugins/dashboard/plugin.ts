/** The dashboard: wires the node's status to a page. What it shows: snapshot; how: server, feed. */
import { injectable, Plugin, PluginContext, StatusService, Storage } from '@peerage/sdk';
import { Feed } from './feed.js';
import { History, SAMPLE_MS } from './history.js';
import { DashboardServer } from './server.js';
import { Sessions } from './session.js';
import { type DashboardSettings, demandPassword } from './settings.js';
import { snapshot, totalsOf } from './snapshot.js';

const KEPT = 'history';

@injectable()
export default class DashboardPlugin extends Plugin {
  /** Where the page is, once it is. */
  port: number | undefined;
  private readonly status: StatusService;
  private readonly storage: Storage;
  private readonly context: PluginContext<DashboardSettings>;

  constructor(status: StatusService, storage: Storage, context: PluginContext<DashboardSettings>) {
    super();
    this.status = status;
    this.storage = storage;
    this.context = context;
  }

  override async activate(): Promise<void> {
    const { settings, log, subscriptions } = this.context;
    demandPassword(settings);
    const history = new History(await this.storage.get(KEPT));
    const feed = new Feed(
      async () => {
        const now = Date.now();
        const shown = await snapshot(this.status, now);
        return { ...shown, history: history.with(now, totalsOf(shown.status)) };
      },
      (error) => log.warn('snapshot-failed', { error }),
    );
    const sessions = new Sessions(settings.password, () => Date.now());
    const parts = { status: this.status, sessions, feed };
    const server = await DashboardServer.open(parts, settings.address, settings.port);
    subscriptions.push(server);
    // With one sample before the first look the plot has a beginning.
    await this.sample(history);
    const timer = setInterval(() => void this.sample(history), SAMPLE_MS);
    subscriptions.push({ dispose: () => clearInterval(timer) });
    this.port = server.port;
    const url = `http://${settings.address}:${server.port}/`;
    log.info('listening', { url, address: settings.address, port: server.port });
  }

  private async sample(history: History): Promise<void> {
    try {
      history.add(Date.now(), totalsOf(await this.status.status()));
      await this.storage.set(KEPT, history.keep());
    } catch (error) {
      this.context.log.warn('sample-failed', { error });
    }
  }
}
