# The guest itself: a USB card gets a partition and can be mounted, as an automounter does.
# shellcheck source=tests/rigs/qemu/lib.sh
. "$RIG/lib.sh"

from=$(now_ms)
plug_card
wait_for 20 test -e /dev/disk/by-label/RIG_CARD
mkdir -p mnt
mount -o ro /dev/disk/by-label/RIG_CARD mnt
measure 'plug to mounted' "$from"
all_whole mnt/DCIM/100RIG
umount mnt
unplug_card
