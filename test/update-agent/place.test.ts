/** Files into a foreign directory: all or none, whatever is cut short. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Move, placeFiles, recoverPlacement } from '@peerage/update-agent';
import { useScratch } from '../fakes/scratch.js';
import { cutDisk } from './cut-disk.js';

const NAMES = ['a.cab', 'b.cab', 'new.cab'];
const OLD = { 'a.cab': 'old a', 'b.cab': 'old b', 'gone.cab': 'old gone' };
const FRESH = { 'a.cab': 'fresh a.cab', 'b.cab': 'fresh b.cab', 'new.cab': 'fresh new.cab' };

describe('update agent: placing files', () => {
  const scratch = useScratch();

  function ground() {
    const [from, to] = [scratch('from'), scratch('to')];
    for (const directory of [from, to]) mkdirSync(directory);
    for (const name of NAMES) writeFileSync(join(from, name), `fresh ${name}`);
    for (const [name, text] of Object.entries(OLD)) writeFileSync(join(to, name), text);
    const moves: Move[] = NAMES.map((name) => ({ from: join(from, name), to: join(to, name) }));
    moves.push({ to: join(to, 'gone.cab') });
    const content = () =>
      Object.fromEntries(
        readdirSync(to)
          .sort()
          .map((name) => [name, readFileSync(join(to, name), 'utf8')]),
      );
    return { moves, journal: join(from, 'journal'), content };
  }

  it('puts all in place, and leaves nothing else behind', async () => {
    const { moves, journal, content } = ground();
    const placement = await placeFiles(moves, journal);
    await placement.commit();
    deepEqual(content(), FRESH);
    equal(await recoverPlacement(journal), false);
    deepEqual(content(), FRESH);
  });

  it('puts everything back when it is not wanted', async () => {
    const { moves, journal, content } = ground();
    const placement = await placeFiles(moves, journal);
    await placement.revert();
    deepEqual(content(), OLD);
  });

  it('after a power cut at any step puts everything back, or has committed', async () => {
    let isOver = false;
    let committed = 0;
    for (let lives = 0; !isOver; lives += 1) {
      const { moves, journal, content } = ground();
      const disk = cutDisk(lives);
      try {
        const placement = await placeFiles(moves, journal, disk);
        await placement.commit();
        isOver = true;
      } catch {
        await recoverPlacement(journal);
      }
      const found = content();
      const names = Object.keys(found).filter((name) => !name.includes('.peerage-'));
      const files = Object.fromEntries(names.map((name) => [name, found[name]]));
      if (files['new.cab'] !== undefined) committed += 1;
      deepEqual(files, files['new.cab'] === undefined ? OLD : FRESH, `cut after ${lives} steps`);
    }
    ok(committed >= 1 && committed <= 5, `${committed} cuts came after the commit`);
  });

  it('on a disk that is full at any step for a moment tells so, and leaves the old files', async () => {
    const whole = ground();
    const counting = cutDisk(Number.POSITIVE_INFINITY);
    await placeFiles(whole.moves, whole.journal, counting);
    for (let lives = 0; lives < counting.steps(); lives += 1) {
      const { moves, journal, content } = ground();
      const full = cutDisk(lives, false, 'ENOSPC');
      await rejects(placeFiles(moves, journal, full), { code: 'ENOSPC' });
      await recoverPlacement(journal);
      deepEqual(content(), OLD, `full at step ${lives + 1}`);
    }
  });
});
