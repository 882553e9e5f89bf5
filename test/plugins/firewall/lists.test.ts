/** Lists as their publishers write them, and everything that can be wrong with one. */
import assert from 'node:assert/strict';
import { parseList } from '@peerage/firewall/lists/parse.js';
import { formatPrefix } from '@peerage/firewall/prefix.js';
import { errorCode } from '@peerage/sdk';

const bytes = (text: string) => new TextEncoder().encode(text);
const list = (text: string) => parseList('own', bytes(text), { format: 'list' });
const prefixes = (parsed: ReturnType<typeof list>) => parsed.entries.map(formatPrefix);

function refused(parse: () => unknown, why: RegExp): void {
  assert.throws(parse, (error: Error) => {
    assert.equal(errorCode(error), 'E_LIST_INVALID');
    assert.match(error.message, why);
    return true;
  });
}

describe('firewall: plain lists and netsets', () => {
  it('takes addresses, prefixes and ranges, and knows the line of each', () => {
    const parsed = list('# made by us\n192.0.2.7\r\n198.51.100.0/24 ; why\n\n2001:DB8::/32\n');
    assert.deepEqual(prefixes(parsed), ['192.0.2.7', '198.51.100.0/24', '2001:db8::/32']);
    assert.deepEqual(
      parsed.entries.map(({ line }) => line),
      [2, 3, 5],
    );
    assert.deepEqual(parsed.attribution, ['made by us']);
  });

  it('makes the fewest prefixes of a range', () => {
    const parsed = list('192.0.2.1-192.0.2.6\n2001:db8::-2001:db8::ffff\n');
    assert.deepEqual(prefixes(parsed), [
      ...['192.0.2.1', '192.0.2.2/31', '192.0.2.4/31', '192.0.2.6'],
      '2001:db8::/112',
    ]);
  });

  it('writes host bits off', () => {
    assert.deepEqual(prefixes(list('198.51.100.77/24\n')), ['198.51.100.0/24']);
  });

  it('takes the number of entries that a netset states', () => {
    const head = '# Entries         : 2 subnets, 512 unique IPs\n';
    assert.equal(list(`${head}198.51.100.0/24\n203.0.113.0/24\n`).entries.length, 2);
    refused(() => list(`${head}198.51.100.0/24\n`), /own: its head states 2 entries, it has 1/);
  });

  const wrong: ReadonlyArray<readonly [string, string, RegExp]> = [
    ['a name', '192.0.2.1\nlocalhost\n', /own, line 2: "localhost" is a name/],
    ['a name like an address', '1.2.3.4.example.org\n', /line 1: .* is a name/],
    ['a number too large', '999.1.2.3\n', /line 1: "999.1.2.3" is not an address/],
    ['a short form', '1.2.3\n', /is not an address/],
    ['leading zeros', '01.2.3.4\n', /is not an address/],
    ['a length too long', '192.0.2.0/33\n', /prefix length/],
    ['a length with a zero before', '192.0.2.0/024\n', /prefix length/],
    ['no length', '192.0.2.0/\n', /prefix length/],
    ['two slashes', '192.0.2.0/24/8\n', /prefix length/],
    ['a range backwards', '192.0.2.9-192.0.2.1\n', /ends before it begins/],
    ['a range of two families', '192.0.2.9-2001:db8::1\n', /two families/],
    ['a zone', 'fe80::1%eth0\n', /zone/],
    ['IPv4 as IPv6', '::ffff:192.0.2.1\n', /IPv4 address written as IPv6/],
    ['two double colons', '2001::db8::1\n', /not an address/],
    ['an IPv6 length too long', '2001:db8::/129\n', /prefix length/],
    ['a web page', '<!DOCTYPE html>\n<html>log in</html>\n', /line 1: a web page/],
    ['half a file', '192.0.2.1\n192.0.2.1', /line 2: the last line has no end/],
    ['a line without end', `${'1'.repeat(5000)}\n`, /line 1: longer than/],
    ['control characters', '192.0.2.1\u0007\n', /"192.0.2.1\?" is not an address/],
  ];
  for (const [what, text, why] of wrong) {
    it(`refuses ${what}`, () => refused(() => list(text), why));
  }

  it('refuses ten million lines without reading them', () => {
    const endless = Buffer.alloc(10_000_000 * 10, '192.0.2.1\n');
    refused(() => parseList('own', endless, { format: 'list' }), /own: more than \d+ bytes/);
  });

  it('refuses more lines than any list has', () => {
    const empty = Buffer.alloc(2_000_001, '\n');
    refused(() => parseList('own', empty, { format: 'list' }), /line 2000001: more than 2000000/);
  });

  it('refuses what is not text', () => {
    refused(() => parseList('own', Buffer.from([0xff, 10]), { format: 'list' }), /not text/);
  });
});

describe('firewall: Spamhaus DROP', () => {
  const spamhaus = (text: string) => parseList('drop', bytes(text), { format: 'spamhaus' });
  const record = (cidr: string) => `{"cidr":"${cidr}","sblid":"SBL1","rir":"apnic"}\n`;
  const end = (records: number) =>
    `{"type":"metadata","timestamp":1790072042,"size":1,"records":${records},"copyright":"(c)"}\n`;

  it('takes the records, and what must travel with them', () => {
    const parsed = spamhaus(`${record('192.0.2.0/24')}${record('2001:db8::/32')}${end(2)}`);
    assert.deepEqual(prefixes(parsed), ['192.0.2.0/24', '2001:db8::/32']);
    const date = '2026-09-22T10:14:02.000Z';
    assert.deepEqual(parsed.attribution, ['The Spamhaus Project', '(c)', date]);
    assert.equal(parsed.madeAtSeconds, 1790072042);
  });

  const wrong: ReadonlyArray<readonly [string, string, RegExp]> = [
    ['another number of records', `${record('192.0.2.0/24')}${end(2)}`, /line 2: states 2 records/],
    ['a list without its end', record('192.0.2.0/24'), /ends without its metadata/],
    ['half a line', `${record('192.0.2.0/24')}{"cidr":"19`, /line 2: the last line has no end/],
    ['data behind the end', `${end(0)}${record('192.0.2.0/24')}`, /line 2: data behind/],
    ['a name', `${record('localhost')}${end(1)}`, /line 1: "localhost" is a name/],
    ['a record without a prefix', '{"sblid":"SBL1"}\n', /line 1: has no "cidr"/],
    ['a line that is not JSON', 'cidr\n', /line 1: "cidr" is not JSON/],
    ['a line that is an array', '[]\n', /not a JSON object/],
    ['an end without date', '{"type":"metadata","records":0}\n', /no timestamp/],
    ['a web page', '<html>\n', /a web page/],
  ];
  for (const [what, text, why] of wrong) {
    it(`refuses ${what}`, () => refused(() => spamhaus(text), why));
  }
});

describe('firewall: tables', () => {
  const csv = (text: string, column: string) =>
    parseList('feodo', bytes(text), { format: 'csv', column });
  const json = (text: string) =>
    parseList('feodo', bytes(text), { format: 'json', column: 'ip_address' });

  it('finds a column by the head line, commented or not, or by its number', () => {
    const data = '"2026-11-22","192.0.2.7","a, b"\n';
    for (const [head, column] of [
      ['# terms of use\n# "seen","dst_ip","malware"\n', 'dst_ip'],
      ['seen,dst_ip,malware\n', 'dst_ip'],
      ['', '2'],
    ] as const) {
      assert.deepEqual(prefixes(csv(`${head}${data}`, column)), ['192.0.2.7'], head);
    }
  });

  it('takes a field of the items of an array', () => {
    assert.deepEqual(prefixes(json('[{"ip_address":"192.0.2.7","port":443}]')), ['192.0.2.7']);
    const inObject = { format: 'json', column: 'ip', list: 'data' } as const;
    const parsed = parseList('own', bytes('{"data":[{"ip":"192.0.2.8"}]}'), inObject);
    assert.deepEqual(prefixes(parsed), ['192.0.2.8']);
  });

  it('refuses columns that are not there', () => {
    refused(() => csv('a,b\n1,2\n', 'ip'), /feodo, line 1: has no column "ip"/);
    refused(() => csv('192.0.2.1\n', '2'), /line 1: has no column 2/);
    refused(() => json('[{"ip":"192.0.2.1"}]'), /feodo, line 1: has no text "ip_address"/);
    refused(() => json('[null]'), /has no text/);
  });

  it('refuses half a file, names and web pages', () => {
    refused(() => csv('"192.0.2.1\n', '1'), /a quotation that does not end/);
    refused(() => csv('localhost\n', '1'), /"localhost" is a name/);
    refused(() => json('[{"ip_address":"192.0.2.1"}'), /not JSON, or cut off/);
    refused(() => json('{"data":[]}'), /no JSON array/);
    refused(() => json('<html></html>'), /a web page/);
  });
});
