/** The page: takes what the live feed says and shows it; opens the record of why on demand. */
import { makePlot } from '/plot.js';
import { element, formatBytes, showPairs, showTable } from '/tables.js';

const byId = (id) => document.getElementById(id);
const plot = makePlot(byId('plot'));

const INTERNET = {
  alone: 'no other machine of the group was there',
  'nobody-answered': 'no other machine answered that it has it',
  'all-said-none': 'the machines asked do not have it',
  'sources-failed': 'every machine that had it failed',
  'role-server': 'this node only serves',
  unshared: 'for one client alone, or nobody could verify it',
  'too-many-searches': 'too many searches were in progress',
  'taken-over': 'the machine that was downloading it is gone',
};
const SAID = {
  'has-it': 'has it',
  none: 'does not have it',
  downloading: 'is downloading it',
  'gave-up': 'gave up',
};

const isInternet = (source) => source === 'origin';
const sourceClass = ({ source }) => (isInternet(source) ? 'internet' : 'lan');

function showSaved({ status, history }) {
  const [, internet, lan] = history.at(-1);
  const share = internet + lan === 0 ? 0 : Math.round((100 * lan) / (internet + lan));
  showPairs(byId('figures'), [
    ['from the Internet', formatBytes(internet), 'internet'],
    ['from the LAN', formatBytes(lan), 'lan'],
    ['not carried by the line', `${share} %`],
    ['in the store', formatBytes(status.transfer.storedBytes)],
  ]);
  plot(history);
}

const FLIGHTS = [
  { title: 'URL', show: ({ url }) => url, className: () => 'url' },
  {
    title: 'Done',
    show: ({ receivedBytes, totalBytes }, cell) => {
      const bar = cell.querySelector('progress') ?? cell.appendChild(element('progress'));
      bar.ariaLabel = 'download';
      if (totalBytes === undefined) bar.removeAttribute('value');
      else {
        bar.max = totalBytes;
        bar.value = receivedBytes;
      }
    },
  },
  { title: 'Received', show: ({ receivedBytes }) => formatBytes(receivedBytes) },
  { title: 'Rate', show: ({ bytesPerSecond }) => `${formatBytes(bytesPerSecond)}/s` },
  {
    title: 'From',
    show: ({ source, from }) =>
      from === '' ? 'asking the LAN' : isInternet(source) ? `the Internet, ${from}` : from,
    className: sourceClass,
  },
];

const REQUESTS = [
  { title: 'Asked', show: ({ askedAt }) => new Date(askedAt).toLocaleTimeString() },
  { title: 'By', show: ({ service }) => service },
  { title: 'From', show: ({ source }) => source ?? '…', className: sourceClass },
  { title: 'URL', show: ({ url }) => url, className: () => 'url' },
  {
    title: '',
    show: (record, cell) => {
      const button = cell.querySelector('button') ?? cell.appendChild(element('button', 'why?'));
      button.type = 'button';
      button.ariaLabel = `why: ${record.url}`;
      button.onclick = () => openWhy(record);
    },
  },
];

const NODES = [
  { title: 'Name', show: ({ name }) => name },
  { title: 'Address', show: ({ address }) => address },
  { title: 'Heard', show: ({ heardMsAgo }) => `${Math.round(heardMsAgo / 1000)} s ago` },
  { title: 'Internet', show: ({ internet }) => (internet ? 'yes' : 'no') },
  { title: 'Roles', show: ({ roles }) => roles },
];

const ELECTIONS = [
  { title: 'Service', show: ({ service }) => service },
  { title: 'Provider', show: ({ provider }) => provider?.node ?? 'nobody' },
  { title: 'Backup', show: ({ backup }) => backup?.node ?? 'nobody' },
  { title: 'Why', show: ({ reason }) => reason },
];

const PLUGINS = [
  { title: 'Plugin', show: ({ id, version }) => `${id} ${version}` },
  {
    title: 'State',
    show: ({ state }) => state,
    className: ({ state }) => (['active', 'disabled', 'idle'].includes(state) ? '' : 'bad'),
  },
  { title: 'Restarts', show: ({ restarts }) => restarts },
  { title: 'Last error', show: ({ lastError }) => lastError ?? '' },
];

const CACHE = [
  { title: 'Size', show: ({ sizeBytes }) => formatBytes(sizeBytes) },
  { title: 'Fetched', show: ({ fetchedAt }) => new Date(fetchedAt).toLocaleString() },
  { title: 'By', show: ({ fetchedBy }) => fetchedBy },
  { title: 'URL', show: ({ url }) => url, className: () => 'url' },
];

/** Rows of the cache that are shown; a store may hold very many. */
const CACHE_ROWS_MAX = 500;

function showChanges(elections) {
  const changes = elections.flatMap(({ service, changes: list = [] }) =>
    list.map((change) => ({ service, ...change })),
  );
  changes.sort((one, other) => other.atMs - one.atMs);
  const lines = changes.slice(0, 20).map(({ service, atMs, provider, reason }) => {
    const at = new Date(atMs).toLocaleTimeString();
    return element('li', `${at} ${service}: ${provider ?? 'nobody'} (${reason})`);
  });
  byId('changes').replaceChildren(...lines);
}

function show(snapshot) {
  const { status, peers, downloads, elections, requests } = snapshot;
  const alone = status.solo ? 'a group of one' : `group ${status.group}`;
  byId('node').textContent = `${status.name}, ${alone}, version ${status.version}`;
  const warnings = (status.warnings ?? []).map((warning) => element('li', warning.message));
  byId('warnings').replaceChildren(...warnings);
  showSaved(snapshot);
  showTable(byId('flights'), FLIGHTS, downloads, (row) => row.url, 'none just now');
  showTable(byId('requests'), REQUESTS, requests, (row) => row.id, 'none yet');
  showTable(byId('nodes'), NODES, peers, (row) => row.kid, 'no other node is there');
  showTable(byId('elections'), ELECTIONS, elections, (row) => row.service, 'no plugin elects');
  showChanges(elections);
  showTable(byId('plugins'), PLUGINS, status.plugins, (row) => row.id, 'none');
}

function openWhy(record) {
  const { provenance, error } = record;
  const pairs = [
    ['URL', record.url],
    ['asked by', `${record.service}, ${new Date(record.askedAt).toLocaleString()}`],
    ['answered', `${record.source ?? 'not yet'} after ${record.answeredMs ?? '?'} ms`],
  ];
  if (record.joined !== undefined)
    pairs.push(['shared', `the download of request ${record.joined}`]);
  if (record.asked.length > 0) pairs.push(['LAN asked', record.asked.join(', ')]);
  for (const { node, answer, afterMs } of record.answers) {
    pairs.push([node, `${SAID[answer] ?? answer}, after ${afterMs} ms`]);
  }
  for (const { kind, from, result, why } of record.tried) {
    pairs.push([`tried ${kind}`, `${from}: ${result ?? 'goes on'}${why ? ` (${why})` : ''}`]);
  }
  const reason = INTERNET[record.internet] ?? record.internet;
  pairs.push(['Internet', reason === undefined ? 'not used' : `used: ${reason}`]);
  for (const { from, sizeBytes } of record.bytes)
    pairs.push(['bytes', `${formatBytes(sizeBytes)} from ${from}`]);
  if (provenance !== undefined) {
    const { fetchedBy, fetchedAt, sha256 } = provenance;
    pairs.push(['fetched', `by ${fetchedBy}, ${fetchedAt}, who signed for SHA-256 ${sha256}`]);
  }
  if (error !== undefined) pairs.push(['failed', `${error.message} [${error.code}]`]);
  const list = element('dl');
  for (const [label, text] of pairs) list.append(element('dt', label), element('dd', text));
  byId('why-text').replaceChildren(list);
  byId('why').showModal();
}

byId('cache-load').addEventListener('click', async () => {
  const rows = await (await fetch('/cache')).json();
  const newest = rows.slice(-CACHE_ROWS_MAX).reverse();
  showTable(
    byId('cache'),
    CACHE,
    newest,
    (row) => `${row.url} ${row.variant}`,
    'the store is empty',
  );
});

const events = new EventSource('/events');
events.addEventListener('open', () => {
  byId('connection').textContent = 'live';
});
events.addEventListener('error', () => {
  byId('connection').textContent = 'the node does not answer; trying again';
});
events.addEventListener('message', ({ data }) => show(JSON.parse(data)));
