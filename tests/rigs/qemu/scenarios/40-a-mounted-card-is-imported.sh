# A USB card: block layer, FAT, mounted as an automounter does, imported as a volume.
# shellcheck source=tests/rigs/qemu/lib.sh
. "$RIG/lib.sh"

start_gateway
from=$(now_ms)
plug_card
wait_for 20 test -e /dev/disk/by-label/RIG_CARD
mkdir -p /media/rig
mount -o ro /dev/disk/by-label/RIG_CARD /media/rig
measure 'card: plug to mounted' "$from"
from=$(now_ms)
wait_for 60 imported 'RIG_*.JPG'
measure 'card: mounted to first file visible' "$from"
wait_for 120 all_imported
measure 'card: mounted to all 13 files (66 MB) imported' "$from"
all_imported_whole
# One card is one device, although libgphoto2 would show it a second time.
[ "$("$HEARTH_BIN/hearth" --state state devices | wc -l)" = 1 ] || fail "$("$HEARTH_BIN/hearth" --state state devices)"
umount /media/rig
unplug_card
stop_gateway
