#!/bin/busybox sh
# Process 1 of a QEMU guest, in its first root, which is in memory: loads what it needs to reach the machine's own /
# (virtiofs), lays a tmpfs over that, so that every file can be changed and none is, and goes on there with guest-init.sh.
busybox=/bin/busybox
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs dev /dev
for module in $($busybox cat /order); do $busybox insmod "/modules/$module"; done
layers=0
for word in $($busybox cat /proc/cmdline); do
  case $word in lab.layers=*) layers=${word#lab.layers=} ;; esac
done
$busybox mount -t tmpfs -o size=90% tmpfs /run
$busybox mkdir /run/upper /run/work /run/root
$busybox mount -r -t virtiofs root /host
# A mount of its own for each layer: one that lies inside another is refused.
lower=/host
while [ "$layers" -gt 0 ]; do
  layers=$((layers - 1))
  $busybox mkdir /run/layer$layers
  $busybox mount -r -t virtiofs layer$layers /run/layer$layers
  lower=/run/layer$layers:$lower
done
root=/run/root
$busybox mount -t overlay -o "lowerdir=$lower,upperdir=/run/upper,workdir=/run/work" overlay $root
for place in proc sys dev; do $busybox mount --move /$place $root/$place; done
$busybox mount -t tmpfs -o mode=755 tmpfs $root/run
$busybox mkdir -p $root/run/lab/job $root/run/lab/host
$busybox mount --move /host $root/run/lab/host
$busybox mount -t virtiofs job $root/run/lab/job
exec $busybox switch_root $root /bin/sh /run/lab/job/guest-init.sh
