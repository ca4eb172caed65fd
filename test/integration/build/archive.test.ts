import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { listLeftovers, openWorkshop, type Workshop } from './build-host.ts';
import { makeTinySource, releaseOf } from './tiny-source.ts';

let workshop: Workshop;
beforeEach(async () => {
  workshop = await openWorkshop();
});
afterEach(async () => {
  await workshop.scratch.remove();
});

/** A tar header and body, for members that no honest tool would write (POSIX ustar). */
function member(
  path: string,
  type: string,
  options: { link?: string; body?: string } = {},
): Buffer {
  const body = Buffer.from(options.body ?? '');
  const header = Buffer.alloc(512);
  header.write(path, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(options.link ?? '', 157);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const file = '0';
const hardLink = '1';
const symbolicLink = '2';
const device = '3';
const pipe = '6';

describe('an archive that climbs out is refused as a whole, and the member is named', () => {
  test.each([
    ['../escaped', [member('../escaped', file, { body: 'x' })]],
    ['redis-9.0.1/../../escaped', [member('redis-9.0.1/../../escaped', file, { body: 'x' })]],
    ['/tmp/redrover-escaped', [member('/tmp/redrover-escaped', file, { body: 'x' })]],
    ['redis-9.0.1/out', [member('redis-9.0.1/out', symbolicLink, { link: '/etc' })]],
    ['redis-9.0.1/up', [member('redis-9.0.1/up', symbolicLink, { link: '../../..' })]],
    ['redis-9.0.1/hard', [member('redis-9.0.1/hard', hardLink, { link: '../../etc/passwd' })]],
    ['redis-9.0.1/null', [member('redis-9.0.1/null', device)]],
    ['redis-9.0.1/pipe', [member('redis-9.0.1/pipe', pipe)]],
    [
      'redis-9.0.1/dir/file',
      [
        member('redis-9.0.1/dir', symbolicLink, { link: 'src' }),
        member('redis-9.0.1/dir/file', file, { body: 'x' }),
      ],
    ],
  ])('%s', async (name, members) => {
    const honest = member('redis-9.0.1/Makefile', file, { body: 'all:\n' });
    const archive = join(workshop.scratch.path, 'archive.tar');
    await writeFile(archive, Buffer.concat([honest, ...members, Buffer.alloc(1024)]));
    const release = await releaseOf(archive, '9.0.1');
    workshop.upload({ archive, release });
    const host = await workshop.openHost('h1');
    await expect(host.builder.build(release)).rejects.toMatchObject({
      code: 'integrity',
      message: expect.stringContaining(`"${name}"`),
      context: { member: name },
    });
    // Only the archive itself, whose digest was right, is kept.
    expect(await listLeftovers(host)).toEqual([release.sha256]);
    expect(await readdir('/tmp')).not.toContain('redrover-escaped');
    expect(await readdir(workshop.scratch.path)).not.toContain('escaped');
  });
});

test('links that stay inside are kept', async () => {
  const { path } = workshop.scratch;
  const source = await makeTinySource(path);
  await mkdir(join(path, 'redis-9.0.1', 'docs'));
  await symlink('../src/server.in', join(path, 'redis-9.0.1', 'docs', 'server'));
  await execa('tar', ['czf', source.archive, '-C', path, 'redis-9.0.1']);
  const release = await releaseOf(source.archive, '9.0.1');
  workshop.upload({ archive: source.archive, release });
  const { builder } = await workshop.openHost('h1');
  expect((await builder.build(release)).release).toBe('redis-9.0.1');
});

const xz = await execa('xz', ['--version'], { reject: false });

describe.skipIf(xz.failed)(`an .xz archive${xz.failed ? ' (needs xz)' : ''}`, () => {
  test('is unpacked too', async () => {
    const { path } = workshop.scratch;
    await makeTinySource(path);
    const archive = join(path, 'redis.tar.xz');
    await execa('tar', ['cJf', archive, '-C', path, 'redis-9.0.1']);
    const release = await releaseOf(archive, '9.0.1');
    workshop.upload({ archive, release });
    const { builder } = await workshop.openHost('h1');
    expect((await builder.build(release)).release).toBe('redis-9.0.1');
  });
});
