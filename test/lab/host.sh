#!/bin/sh
# Pid 1 of a lab's host, in network, mount, pid, uts and ipc namespaces of its own: makes a root of
# its own from the host's disk, does what an ordinary boot does, and reaps orphans for ever after.
#
# $1 name of the host. Its disk is in /mnt/hosts/NAME/disk, as the lab's pid 1 sees it.
set -eu
name=$1
base=/mnt/hosts/$name
root=$base/root

layers="lowerdir=/mnt/seed:/,upperdir=$base/disk/upper,workdir=$base/disk/work"
mount -t overlay overlay -o "$layers" "$root"
cd "$root"

mount --bind /mnt/modules opt/redrover/node_modules

# Of the kernel's settings only those of the network belong to the host. The rest of the machine's
# are read-only, save for two that get a copy of their own, as fresh as after a boot.
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
if [ -e proc/sysrq-trigger ]; then mount --bind /dev/null proc/sysrq-trigger; fi
mount -t sysfs -o ro sysfs sys
echo 0 > "$base/overcommit_memory"
echo 'always [madvise] never' > "$base/hugepages"
mount --bind "$base/overcommit_memory" proc/sys/vm/overcommit_memory
# What tells a boot from the one before, so that nobody takes old pids or unsynced files for kept.
cat proc/sys/kernel/random/uuid > "$base/boot_id"
mount --bind "$base/boot_id" proc/sys/kernel/random/boot_id
if [ -e sys/kernel/mm/transparent_hugepage/enabled ]; then
  mount --bind "$base/hugepages" sys/kernel/mm/transparent_hugepage/enabled
fi

mount -t tmpfs -o mode=755,size=64k dev dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777,size=64m shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for number in 0:stdin 1:stdout 2:stderr; do
  ln -s "/proc/self/fd/${number%%:*}" "dev/${number#*:}"
done

mount -t tmpfs -o mode=1777,size=256m tmp tmp
mount -t tmpfs -o mode=755,size=64m run run
mkdir run/lock run/lab
# Where the preloaded libraries read the host's clock and note what is durable: not on its disk.
mount --bind "$base/lab" run/lab

hostname "$name"
pivot_root . .machine
cd /
umount -l /.machine
echo "$name" > /etc/hostname 2>/dev/null || true

# What an init system does with the settings that the agent makes last.
if [ -e /etc/sysctl.d/90-redrover.conf ]; then
  sysctl --quiet --load=/etc/sysctl.d/90-redrover.conf 2>/dev/null || true
fi
if [ -e /etc/tmpfiles.d/90-redrover.conf ]; then
  awk '$1 == "w" { print $7 > $2 }' /etc/tmpfiles.d/90-redrover.conf || true
fi
if [ -x /etc/rc.local ]; then /etc/rc.local || true; fi

echo ready
exec < /dev/null > /dev/null 2>&1
# Waiting for the one child reaps every orphan that ends meanwhile.
while :; do
  sleep 86400 &
  wait
done
