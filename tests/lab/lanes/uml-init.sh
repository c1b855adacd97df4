#!/bin/sh
# Process 1 of a UML guest, on the machine's own / (hostfs, read-only). It lays a tmpfs over that, so that every file can
# be changed and none is, and goes on there with guest-init.sh.
set -e
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
layers=
for word in $(cat /proc/cmdline); do
  case $word in
    lab.job=*) job=${word#lab.job=} ;;
    lab.layers=*) layers=${word#lab.layers=} ;;
  esac
done
kernel=$(uname -r)
mount -t tmpfs -o size=90% tmpfs /run
mkdir /run/upper /run/work /run/root
insmod "/usr/lib/uml/modules/$kernel/kernel/fs/overlayfs/overlay.ko"
# A mount of its own for each layer: one that lies inside another is refused. The last is laid first.
lower=/
while [ -n "$layers" ]; do
  layer=${layers##*:}
  case $layers in *:*) layers=${layers%:*} ;; *) layers= ;; esac
  place=$(mktemp -d /run/layer.XXXXXX)
  mount -r -t hostfs -o "$layer" none "$place"
  lower=$place:$lower
done
root=/run/root
mount -t overlay -o "lowerdir=$lower,upperdir=/run/upper,workdir=/run/work" overlay $root
mount --move /proc $root/proc
mount -t sysfs sysfs $root/sys
mount -t devtmpfs dev $root/dev
mount -t tmpfs -o mode=755 tmpfs $root/run
mkdir -p $root/run/lab/job $root/run/lab/host $root/lib/modules
# hostfs shows whatever the machine has mounted below a directory, so one mount of / reaches every checkout.
mount -r -t hostfs none $root/run/lab/host
mount -t hostfs -o "$job" none $root/run/lab/job
ln -sfn "/usr/lib/uml/modules/$kernel" "$root/lib/modules/$kernel"
# Moved onto /, not only entered: a program that joins a mount namespace by its file begins at that namespace's root.
cd $root
mount --move . /
exec chroot . /bin/sh /run/lab/job/guest-init.sh
