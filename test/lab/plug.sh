#!/bin/sh
# Puts a cable between a booted host and the switch, which the switch does not pass anything from or
# to yet. Runs in the switch's network namespace and with the machine's pids.
#
# $1 name of the switch's port, $2 pid of the host's pid 1, $3 address, $4 hardware address.
set -eu
port=$1 pid=$2 address=$3 hardware=$4
ip link add "$port" type veth peer name eth0 address "$hardware" netns "$pid"
ip link set "$port" up
nsenter --target "$pid" --net sh -eu -c '
  echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null || true
  ip link set lo up
  ip address add "$1/24" dev eth0
  ip link set eth0 up
' sh "$address"
