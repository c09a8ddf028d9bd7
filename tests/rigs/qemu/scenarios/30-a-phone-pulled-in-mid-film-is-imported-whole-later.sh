# Surprise removal, in the middle of the largest file and in the middle of the small ones.
# shellcheck source=tests/rigs/qemu/lib.sh
. "$RIG/lib.sh"

spooling() {
    [ "$(du -sb state/spool 2>/dev/null | cut -f1)" -gt 4000000 ]
}

start_gateway
plug_phone
wait_for 60 spooling
unplug_phone
wait_for 10 phone_is_gone
sleep 1
! all_imported || fail 'it was pulled too late to show anything'
"$HEARTH_BIN/hearth" --state state devices
for file in $(find tree/Photos -type f 2>/dev/null); do
    grep -q "^$(sha256sum <"$file" | cut -d' ' -f1) " "$MEDIA/SHA256SUMS" || fail "$file is half a file"
done
from=$(now_ms)
plug_phone
wait_for 120 all_imported
measure 'phone: plugged in again to all imported' "$from"
all_imported_whole
unplug_phone
wait_for 10 phone_is_gone
stop_gateway
"$HEARTH_BIN/hearth" --state state fsck >/dev/null 2>&1 || true
