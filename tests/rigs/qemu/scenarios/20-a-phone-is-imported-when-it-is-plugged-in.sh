# Hot-plug of an MTP device: kernel, udev, libusb, the monitor, libmtp, the tree.
# shellcheck source=tests/rigs/qemu/lib.sh
. "$RIG/lib.sh"

start_gateway
from=$(now_ms)
plug_phone
wait_for 60 imported 'RIG_*.JPG'
measure 'phone: plug to first file visible' "$from"
wait_for 120 all_imported
measure 'phone: plug to all 13 files (66 MB) imported' "$from"
all_imported_whole
unplug_phone
wait_for 10 phone_is_gone

# What is known is not taken again.
plug_phone
wait_for 30 grep -c 'job 2 .*is done' gateway.log
all_imported_whole
unplug_phone
wait_for 10 phone_is_gone
stop_gateway
