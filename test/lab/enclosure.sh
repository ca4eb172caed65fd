#!/bin/sh
# Pid 1 of a lab, in network, mount and pid namespaces of its own: prepares what all hosts share and
# then waits for the end of its standard input, which is the end of whoever started the lab. When it
# ends, the kernel ends every process of the lab and takes its mounts and its network away.
#
# $1 folder of the built programs, $2 cache of builds, $3 source archive, $4 its name on the hosts,
# $5 node_modules of the checkout, which also holds the Node that runs the programs, then sources of
# libraries to preload into every program of the hosts; standard input: nothing, to be held open.
set -eu
programs=$1 cache=$2 archive=$3 archive_name=$4 modules=$5
shift 5

# Only numbers of this namespace are meaningful here.
mount -t proc proc /proc

# Whatever the lab writes is in memory, and below /mnt as this namespace alone sees it.
mount -t tmpfs -o size=1g,mode=755 redrover-lab /mnt
mkdir /mnt/seed /mnt/seed-work /mnt/build /mnt/hosts /mnt/logs /mnt/modules
# Bound into each host: a checkout may be where hosts have something of their own, in /tmp say.
mount --bind "$modules" /mnt/modules
mount -o remount,bind,ro /mnt/modules

# A layer between the machine's files and each host's own: what every host has from the beginning.
# Removing in the overlay hides the machine's own files; the machine keeps them.
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/seed,workdir=/mnt/seed-work /mnt/build
cd /mnt/build
rm -rf usr/local/redis var/cache/redrover var/lib/redrover etc/rc.local etc/ld.so.preload
rm -f etc/sysctl.d/90-redrover.conf etc/security/limits.d/90-redrover.conf
rm -f etc/tmpfiles.d/90-redrover.conf etc/resolv.conf etc/hosts
mkdir -p opt/redrover/node_modules var/cache/redrover .machine
: > etc/resolv.conf
printf '127.0.0.1 localhost\n10.77.0.2 controller\n10.77.0.3 client\n' > etc/hosts
cp "$programs"/*.mjs opt/redrover/
for part in builds packs sources; do
  if [ -e "$cache/$part" ]; then cp -a "$cache/$part" var/cache/redrover/; fi
done
cp "$archive" "opt/redrover/$archive_name"
for source in "$@"; do
  library=opt/redrover/$(basename "$source" .c).so
  cc -O2 -Wall -Werror -shared -fPIC -o "$library" "$source" -ldl
  echo "/$library" >> etc/ld.so.preload
done
cd /
umount /mnt/build

# The switch: a bridge that no cable joins to anything outside this namespace.
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null || true
ip link set lo up
ip link add switch type bridge
ip link set switch up

echo ready
# Not the last command: a shell may turn itself into that, and `cat` would not reap orphans.
cat > /dev/null
exit 0
