"""What a power cut leaves on the disk of a lab's host, whose programs have all ended.

  power-cut.py settle DISK NOTES   all that is on the disk is taken for durable, as after a sync
  power-cut.py cut DISK NOTES      every file is put back to what was durable; prints as JSON what
                                   changed: [{"path", "wasBytes", "isBytes"}]

DISK is the upper layer of the host's root, NOTES the folder that preload/durable-files.c writes to.

The model, harsher than most machines: no kernel writes anything back by itself, so what was not
synced is gone. A file that was opened for appending, or is beyond 1 MiB, is cut to its length at
the last sync; what was overwritten in it stays. Any other file has the content of its last sync. A
file that was never synced is there and empty. Milder than the worst machine in one thing: names
(created, renamed, removed) are durable at once, as if every directory were synced. Files of the
machine that the host has changed are left alone.
"""
import json
import os
import stat
import sys

COPY_LIMIT = 1 << 20


def files_of(disk):
    """Regular files that were born on this disk, whiteouts and copies of the machine's left out."""
    for folder, _, names in os.walk(disk):
        for name in names:
            path = os.path.join(folder, name)
            if not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            if "trusted.overlay.origin" not in os.listxattr(path, follow_symlinks=False):
                yield path


def settle(disk, notes):
    for path in files_of(disk):
        try:
            note_as_it_is(path, notes)
        except FileNotFoundError:
            # The host may be up: a file that is gone needs no note.
            continue


def note_as_it_is(path, notes):
    with open(path, "rb") as source:
        file = os.fstat(source.fileno())
        content = source.read() if file.st_size <= COPY_LIMIT else None
    with open(os.path.join(notes, str(file.st_ino)), "wb") as note:
        note.write(b"%d %d\n" % (file.st_size, content is not None))
        note.write(content or b"")


def cut(disk, notes):
    changed = []
    for path in files_of(disk):
        was, content = os.path.getsize(path), None
        try:
            with open(os.path.join(notes, str(os.stat(path).st_ino)), "rb") as note:
                length, copied = map(int, note.readline().split())
                content = note.read() if copied else None
        except FileNotFoundError:
            length = 0
        if content is not None and content != read(path):
            with open(path, "r+b") as file:
                file.truncate(0)
                file.write(content)
        elif content is None and was > length:
            os.truncate(path, length)
        else:
            continue
        is_bytes = os.path.getsize(path)
        name = "/" + os.path.relpath(path, disk)
        changed.append({"path": name, "wasBytes": was, "isBytes": is_bytes})
    print(json.dumps(changed))


def read(path):
    with open(path, "rb") as file:
        return file.read()


{"settle": settle, "cut": cut}[sys.argv[1]](sys.argv[2], sys.argv[3])
