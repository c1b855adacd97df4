#!/bin/sh
# Process 1 of a guest once its root is complete; the same on every lane. Runs the job's command, says with which status
# it ended, and powers the guest off.
#
#   /run/lab/job   the job: settings, command, and what the host reads afterwards; written through to the host
#   /run/lab/host  the machine's own file systems, read-only
. /run/lab/job/settings
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 NO_COLOR=1 CISTERN_LAB_LANE="$lane"

mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /run/lock /run/udev /run/lvm
hostname lab
ip link set lo up

# The checkout may lie where the guest has mounts of its own (below /tmp, say), so it is laid there anew. Test tools write
# beside what they read: that goes into memory too.
mkdir -p "$project" /run/lab/project/upper /run/lab/project/work
mount -t overlay -o "lowerdir=/run/lab/host$project,upperdir=/run/lab/project/upper,workdir=/run/lab/project/work" \
  overlay "$project"

case $lane in
  uml)
    out=/dev/tty1 err=/dev/tty2
    # Bytes go through as they are.
    stty -F $out raw -echo -opost
    stty -F $err raw -echo -opost
    ;;
  qemu)
    modprobe virtio_blk
    # The host makes the ports one after the other; their names hold the number of their device on the bus.
    attempts=50
    until [ -c "$(echo /dev/vport*p2)" ] || [ $attempts -eq 0 ]; do
      sleep 0.05
      attempts=$((attempts - 1))
    done
    out=$(echo /dev/vport*p1) err=$(echo /dev/vport*p2)
    if ! [ -c "$out" ] || ! [ -c "$err" ]; then echo "The ports for output are missing." && echo o >/proc/sysrq-trigger; fi
    ;;
esac

cd "$directory" && sh /run/lab/job/command </dev/null >$out 2>$err
echo $? >/run/lab/job/status.new
mv /run/lab/job/status.new /run/lab/job/status

# Storage that hangs must not keep the guest alive, so the flush has a deadline.
sync &
flush=$!
attempts=100
while kill -0 $flush 2>/dev/null && [ $attempts -gt 0 ]; do
  sleep 0.1
  attempts=$((attempts - 1))
done
echo o >/proc/sysrq-trigger
sleep 60
