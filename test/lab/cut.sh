#!/bin/sh
# Decides whom a host does not reach. Runs in the host's network namespace.
#
# $1 the hardware address of nobody, then the addresses of all that it is cut off from.
set -eu
nobody=$1
shift
# All of them, those that were asked for in vain included: after healing nobody has to wait.
ip neighbour flush dev eth0 nud all
for address in "$@"; do
  ip neighbour replace "$address" lladdr "$nobody" nud permanent dev eth0
done
