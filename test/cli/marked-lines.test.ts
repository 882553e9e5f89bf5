/** Lines put into somebody's file and taken out again: to the byte as before, whatever it holds. */
import assert from 'node:assert/strict';
import { withLines, withoutLines } from '@peerage/core/cli/marked-lines.js';

const TEXTS = [
  '',
  '\n',
  'a=1',
  'a=1\n',
  'a=1\r\nregistry=https://old.example/\r\n',
  '[global]',
  '[global]\nindex-url = https://old.example/\n  continued\ntimeout = 5\n[install]\nx = y',
  '# comment only\n\n\n',
  'registry=one\nregistry=two\n',
];
const INSERTIONS = [
  { lines: ['registry=new'], contradicts: /^\s*registry\s*=/ },
  { lines: ['index-url = new'], section: '[global]', contradicts: /^\s*index-url\s*=/ },
  { lines: ['Plain 1', 'Plain 2'] },
];

describe('marked lines', () => {
  it('come out again to the byte, also when they were put in twice', () => {
    for (const text of TEXTS) {
      for (const insertion of INSERTIONS) {
        const once = withLines(text, insertion);
        assert.notEqual(once, text);
        assert.equal(withLines(once, insertion), once, 'a second time changes nothing');
        assert.equal(withoutLines(once), text);
      }
    }
  });

  it('leave what others change meanwhile as it is', () => {
    const [insertion] = INSERTIONS;
    assert.ok(insertion !== undefined);
    const changed = `${withLines('a=1\n', insertion)}b=2\n`;
    assert.equal(withoutLines(changed), 'a=1\nb=2\n');
  });

  it('keep as a comment what says something else, with its continuation', () => {
    const insertion = INSERTIONS[1];
    assert.ok(insertion !== undefined);
    const text = withLines('[global]\nindex-url = old\n  more\ntimeout = 5\n', insertion);
    const active = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(active, ['[global]', 'index-url = new', 'timeout = 5']);
  });
});
